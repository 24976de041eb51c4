/** One model call: what goes in, what comes out, how it fails. Plain data: it can cross threads. */

import { CodedError } from '../base/index.ts';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly toolCalls?: readonly ToolCall[];
  /** For role `tool`: the call that this answers. */
  readonly toolCallId?: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text as the model wrote it. */
  readonly arguments: string;
}

export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: { readonly [key: string]: unknown };
}

/** Where to send calls. `kind: offline` is the endpoint of this very process. */
export interface Provider {
  readonly name: string;
  readonly kind: 'openai' | 'compatible' | 'local' | 'offline';
  readonly baseURL: string;
  readonly apiKey: string;
  /** Model id for agents and configurations that name none. */
  readonly defaultModel: string;
  /** Sent with every request, beside or instead of the key; may hold secrets. */
  readonly headers?: { readonly [name: string]: string };
  /** Parameters of every request's address, such as Azure's `api-version`. */
  readonly query?: { readonly [name: string]: string };
  /** Tokens that a model's prompt and answer have room for, by model id. */
  readonly contextTokens?: { readonly [model: string]: number };
  /** What its address and key may be asked for, by all of its consumers together. */
  readonly limits?: ProviderLimits;
}

/** What a person allows; null for no such limit. */
export interface ProviderLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  /** Calls in flight. */
  readonly concurrency: number | null;
}

export interface CallOptions {
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly seed?: number;
  readonly stopSequences?: readonly string[];
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly reasoningEffort?: string;
  readonly verbosity?: 'low' | 'medium' | 'high';
  readonly extra?: { readonly [key: string]: unknown };
}

export interface ModelCall {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly options: CallOptions;
  readonly tools?: readonly ToolDefinition[];
  /** `none`: the tools only describe earlier calls and must not be called again. */
  readonly toolChoice?: 'none';
  /** Ask for JSON of this schema (`response_format: json_schema`); the caller checks the answer again. */
  readonly responseSchema?: {
    readonly name: string;
    readonly schema: { readonly [key: string]: unknown };
  };
  /** For the whole call, streaming included. */
  readonly timeoutMs: number;
  /** Longest silence between two chunks. */
  readonly idleMs: number;
  /** Longest answer; more is `answer_too_long`. */
  readonly answerBytesMax: number;
}

export interface ModelAnswer {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  /** As the server names it; `finishKind` has its meaning. */
  readonly finishReason: string;
  readonly model: string;
  readonly usage: TokenUsage;
}

/** Tokens of one call. */
export interface TokenUsage {
  readonly inputTokens: number;
  /** Reasoning included. */
  readonly outputTokens: number;
  /** Part of the input that came from the provider's cache; absent when the provider reports none. */
  readonly cachedInputTokens?: number;
  /** Part of the input that was written to the provider's cache; absent when the provider reports none. */
  readonly cacheWriteTokens?: number;
  /** Part of the output that was reasoning. */
  readonly reasoningTokens?: number;
  /** True when a number is a guess, because the server gave none that can be one. */
  readonly estimated: boolean;
}

/** How a failed call is to be treated (`docs/guides/agents.md` has the table). */
export type FailureClass =
  /** The fault of this request or answer, which may pass: retry, charged. */
  | 'transient'
  /** The fault of this request, for good: dead-letter. */
  | 'permanent'
  /** Rate limited: retry after the delay. */
  | 'throttled'
  /** The provider does not work at the moment. */
  | 'unavailable'
  /** Refused without a reason: only the outcome of other jobs shows whether this request caused it. */
  | 'blocked'
  /** Address, key or model id are wrong: a person must correct them. */
  | 'misconfigured'
  /** Quota or credit are used up. */
  | 'exhausted'
  /** We stopped it. */
  | 'aborted';

/** `code` is the cause, such as `rate_limited`, `unauthorized`, `stream_cut`, `output_truncated`. */
export class ModelError extends CodedError {
  readonly failure: FailureClass;
  readonly status: number | null;
  /** What the provider asked us to wait, milliseconds. */
  readonly retryAfterMs: number | null;
  /** What the call used all the same; null when nothing was bought. */
  readonly usage: TokenUsage | null;
  /** False when the request certainly did not reach the provider. */
  readonly isSent: boolean;

  constructor(
    failure: FailureClass,
    code: string,
    message: string,
    options?: ErrorOptions & {
      status?: number | null;
      retryAfterMs?: number | null;
      usage?: TokenUsage | null;
      isSent?: boolean;
    },
  ) {
    super(code, message, options);
    this.failure = failure;
    this.status = options?.status ?? null;
    this.retryAfterMs = options?.retryAfterMs ?? null;
    this.usage = options?.usage ?? null;
    this.isSent = options?.isSent ?? true;
  }

  /** The same failure of a call that was paid for. */
  withUsage(usage: TokenUsage | null): ModelError {
    return this.#with({ usage });
  }

  /** The same failure of a request that never left. */
  unsent(): ModelError {
    return this.#with({ isSent: false });
  }

  #with(changed: Partial<Pick<ModelError, 'usage' | 'isSent'>>): ModelError {
    const { failure, code, message, status, retryAfterMs, usage, isSent } = this;
    const fields = { status, retryAfterMs, usage, isSent, ...changed };
    return new ModelError(failure, code, message, fields);
  }
}
