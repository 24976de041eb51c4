/** A connection to the broker: requests, and consuming under leases, over as many sockets as it takes. */

export { AiqError } from '../protocol/index.ts';
export { type BlobContent, getBlob, putBlob, wholeJob } from './blobs.ts';
export { type BrokerStats, Client, type EnqueueAnswer } from './client.ts';
export type { Consumer, ConsumerOptions } from './consumer/consumer.ts';
export type { LeasedJob } from './consumer/leases.ts';
export { connectSocket, type Endpoint } from './endpoint.ts';
export { openConsumer, openWatcher } from './on-demand.ts';
export type { ResolveOptions, SessionOptions } from './session.ts';
export {
  assertOwnFolder,
  assertTrustedFolder,
  isLoopback,
  readTokenFile,
  readTrustedFile,
  untrusted,
} from './trust.ts';
export type { Watcher, WatcherOptions } from './watcher.ts';
