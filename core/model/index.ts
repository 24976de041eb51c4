/** One model call done right: client, limits, failures, and the choice of a provider. */

export { createCaller, type ModelCaller } from './caller.ts';
export { withoutFence } from './fence.ts';
export { type FoundJson, findJson } from './find-json.ts';
export { finishKind } from './finish.ts';
export { callWithLengthRetry } from './length-retry.ts';
export {
  type CallOptions,
  type FailureClass,
  type Message,
  type ModelAnswer,
  type ModelCall,
  ModelError,
  type Provider,
  type TokenUsage,
  type ToolCall,
  type ToolDefinition,
} from './model.ts';
export { listModels, type ModelList } from './model-list.ts';
export { costMicros, type Prices } from './price.ts';
export { promptTruncated } from './prompt-tokens.ts';
export {
  checkOfflineModel,
  chooseProvider,
  modelFor,
  offlineModel,
  type ProviderChoice,
} from './provider.ts';
export {
  type ProviderQuery,
  type ProviderSettings,
  type ProviderUse,
  usesOf,
} from './provider-address.ts';
export { ProviderError, type ProviderErrorCode } from './provider-error.ts';
export { printable } from './redact.ts';
export { estimatedTokens } from './wire-usage.ts';
