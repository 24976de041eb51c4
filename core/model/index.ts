/** One model call done right: client, limits, failures, and the choice of a provider. */

export { withoutFence } from './answer/fence.ts';
export { type FoundJson, findJson } from './answer/find-json.ts';
export { finishKind } from './answer/finish.ts';
export { estimatedTokens } from './answer/wire-usage.ts';
export { type CallGate, createCaller, type ModelCaller } from './caller.ts';
export type { Allowance } from './failures/allowances.ts';
export { type CallEnd, callEndOf } from './failures/call-end.ts';
export { printable } from './failures/redact.ts';
export { callWithLengthRetry } from './length-retry.ts';
export {
  type CallOptions,
  type FailureClass,
  type Message,
  type ModelAnswer,
  type ModelCall,
  ModelError,
  type Provider,
  type ProviderLimits,
  type TokenUsage,
  type ToolCall,
  type ToolDefinition,
} from './model.ts';
export { boundMicros, expectedTokens, isFree } from './prices/bound.ts';
export { costMicros, type Price, type Prices, type Rates } from './prices/price.ts';
export { type KnownPrice, openPriceList } from './prices/price-list.ts';
export { promptTruncated } from './prompt-tokens.ts';
export { isOnThisMachine } from './provider/base-url.ts';
export { listModels, type ModelList } from './provider/model-list.ts';
export {
  checkOfflineModel,
  chooseProvider,
  modelFor,
  offlineModel,
  openAiDefaultModel,
  type ProviderChoice,
} from './provider/provider.ts';
export {
  type ProviderQuery,
  type ProviderSettings,
  type ProviderUse,
  usesOf,
} from './provider/provider-address.ts';
export { ProviderError, type ProviderErrorCode } from './provider/provider-error.ts';
export { type RequestBody, requestBody } from './request.ts';
