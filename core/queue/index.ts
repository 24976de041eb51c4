/** The job queue as runtime and command line see it: the port, its engines, and how jobs are made. */

export {
  AiqError,
  type ErrorCode,
  errorCodes,
  isId,
  isIdPrefix,
  type Job,
  type JobInfo,
  type JobState,
  jobStates,
  type LeaseToken,
  limits,
  noUsage,
  type QueueInfo,
  type SettleOutcome,
  shortId,
  type Usage,
} from '../protocol/index.ts';
export { type BrokerAddress, parseBrokerAddress } from './address.ts';
export { canonicalJson } from './canonical-json.ts';
export { describeJob, type JobDescription, type JobNote, readNote } from './describe-job.ts';
export { type JobContent, type JobIdentity, jobIdOf } from './identity.ts';
export {
  type JobAgent,
  type JobBody,
  type NewJob,
  newJob,
  newJobFor,
  readJobBody,
} from './new-job.ts';
export { type OpenQueueOptions, openQueue } from './open-queue.ts';
export type {
  ConsumeOptions,
  Consumer,
  Directive,
  Enqueued,
  Extended,
  InspectedJob,
  JobFilter,
  JobPage,
  JobQueue,
  LeasedJob,
  QueueStats,
  Settle,
  Settled,
  WatchOptions,
} from './port.ts';
