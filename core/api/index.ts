/** The public API of the package: connect, enqueue, wait, run, define tools, and the errors. */

export {
  AgentError,
  type BrokenAgent,
  BrokenAgentError,
  type InputProblem,
  type JsonObject,
  type Problem,
  UnknownAgentError,
} from '../agent/index.ts';
export {
  ConfigError,
  type Environment,
  type Overrides,
  type SettingPath,
} from '../config/index.ts';
export {
  AiqError,
  type ErrorCode,
  type JobDescription,
  type JobDetails,
  type JobState,
  type LeaseEndDescription,
  type Priority,
  type Usage,
} from '../job-queue/index.ts';
export type { JobReport, RuntimeCounts } from '../runtime/index.ts';
export {
  defineTool,
  type Tool,
  type ToolArguments,
  type ToolContext,
  type ToolParameters,
} from '../tools/index.ts';
export { TrustError } from '../trust/index.ts';
export { type ConnectOptions, connect } from './connect.ts';
export type {
  Aiq,
  DeadJobs,
  EnqueuedJob,
  EnqueueOptions,
  JobRequest,
  JobsFilter,
  RefusedJob,
  RunOptions,
  RunSummary,
  SearchOptions,
  WaitOptions,
} from './contract.ts';
export { RunError } from './run-error.ts';
