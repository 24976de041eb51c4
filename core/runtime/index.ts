/** A leased job to a settled one: thread pool, job runner, lease keeper, shutdown. */

export { readPrompts, type SentCall, type SentPrompts } from './attempt/prompts.ts';
export { putAside } from './definitions.ts';
export type {
  JobReport,
  RunSummary,
  Runtime,
  RuntimeCounts,
  RuntimeLog,
  RuntimeOptions,
} from './options.ts';
export { realProvider } from './real-provider.ts';
export { startRuntime } from './runtime.ts';
export {
  type ConsumerConfig,
  type ConsumerOptions,
  type Mendable,
  type StartedConsumer,
  startConsumer,
} from './start-consumer.ts';
export { toolProblems } from './tool-problems.ts';
