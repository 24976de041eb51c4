/** The job queue as runtime and command line see it: the port, its engines, and how jobs are made. */

export type { BlobContent, LeasedJob } from '../client/index.ts';
export {
  AiqError,
  type BudgetTerms,
  type Charge,
  type ErrorCode,
  errorCodes,
  isId,
  isIdPrefix,
  isKey,
  isTag,
  type Job,
  type JobInfo,
  type JobState,
  jobStates,
  type LeaseEndInfo,
  type LeaseToken,
  limits,
  noUsage,
  type Priority,
  priorities,
  type QueueInfo,
  type SettleOutcome,
  shortId,
  type Usage,
  unknownCostMicros,
} from '../protocol/index.ts';
export { type BrokerAddress, parseBrokerAddress } from './address.ts';
export { canonicalJson } from './canonical-json.ts';
export {
  describeInspected,
  describeJob,
  describeUsage,
  isExtract,
  type JobDescription,
  type JobDetails,
  type JobNote,
  type LeaseEndDescription,
  readNote,
  stateWord,
  type UsageDescription,
} from './describe-job.ts';
export type { JobContent, JobIdentity } from './identity.ts';
export {
  type JobAgent,
  type JobBody,
  type JobTerms,
  jobAfter,
  type NewJob,
  newJob,
  newJobFor,
  type Place,
  readJobBody,
} from './new-job.ts';
export { type OpenQueueOptions, openQueue } from './open-queue.ts';
export { definitionKey, isKeyOf, isSamePlace, placeOf } from './place.ts';
export type {
  BulkOptions,
  DeadFilter,
  EngineStats,
  Enqueued,
  InspectedJob,
  JobFilter,
  JobPage,
  JobQueue,
  KeptOutput,
  QueueSettings,
  QueueStats,
  SearchFilter,
  SearchPage,
  UnwrittenPage,
  WatchOptions,
  WrittenOutput,
} from './port.ts';
export type { BatchState, BudgetState, CostRow } from './port-budgets.ts';
export type {
  CallBound,
  CallRates,
  ConsumeOptions,
  Consumer,
  RateTerms,
  Reserved,
  Settle,
  Settled,
  SettleOutput,
} from './port-consumer.ts';
export { type ChosenProvider, type Sender, type Sent, sendJobs } from './send-jobs.ts';
export { standIn, supersededBy } from './superseded.ts';
