/** A leased job to a settled one: thread pool, job runner, lease keeper, shutdown. */

export { putAside } from './agents/definitions.ts';
export { toolProblems } from './agents/tool-problems.ts';
export {
  readPrompts,
  type SentCall,
  type SentPrompts,
  unpackPrompts,
} from './attempt/prompts.ts';
export type {
  JobReport,
  RunSummary,
  Runtime,
  RuntimeCounts,
  RuntimeLog,
  RuntimeOptions,
} from './options.ts';
export { realProvider } from './providers/real-provider.ts';
export { startRuntime } from './runtime.ts';
export {
  type ConsumerConfig,
  type ConsumerOptions,
  type Mendable,
  type StartedConsumer,
  startConsumer,
} from './start-consumer.ts';
