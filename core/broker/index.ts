/** The broker: durable named queues behind a binary protocol, on Node's standard library alone. */

export { type BrokerEnd, type RunningBroker, startBroker } from './broker.ts';
export { FolderLockedError } from './folder-lock.ts';
export type { RecoveryReport } from './log/contract.ts';
export type { BrokerOptions } from './options.ts';
