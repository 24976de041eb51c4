/** The broker: durable named queues behind a binary protocol, on Node's standard library alone. */

export { type BrokerEnd, type RunningBroker, startBroker } from './broker.ts';
export { type BackupReport, backupLog } from './care/backup.ts';
export { CareError } from './care/care-error.ts';
export { type LossReport } from './care/loss-report.ts';
export { describeProblem, type LogProblem } from './care/problems.ts';
export { type RestoreReport, restoreLog } from './care/restore.ts';
export { type SalvageReport, salvageLog } from './care/salvage.ts';
export { type VerifyReport, verifyLog } from './care/verify.ts';
export { FolderLockedError } from './folder-lock.ts';
export { FolderGoneError } from './held-folder.ts';
export type { RecoveryReport } from './log/contract.ts';
export type { BrokerOptions } from './options.ts';
