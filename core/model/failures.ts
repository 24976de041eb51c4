/**
 * How every way a call can fail is to be treated: one table by error code, one by HTTP status, and
 * the function that turns whatever the SDK throws into a ModelError by them. Knows no retries.
 */

import { secretsOf } from './authorization.ts';
import { shownBaseURL } from './base-url.ts';
import { type FailureClass, ModelError, type Provider } from './model.ts';
import { printable } from './redact.ts';
import { retryAfterMs } from './retry-after.ts';

export interface FailureRule {
  readonly failure: FailureClass;
  readonly code: string;
  /** What happened, as the middle of a sentence. */
  readonly title: string;
  readonly fix?: string;
}

const keyFix = 'Check the API key: the environment variable, or `apiKey` under `providers`.';
const addressFix = 'Check the base URL; most end in /v1.';

const unauthorized: FailureRule = {
  failure: 'endpoint',
  code: 'unauthorized',
  title: 'the key was refused',
  fix: keyFix,
};
const quotaExhausted: FailureRule = {
  failure: 'endpoint',
  code: 'quota_exhausted',
  title: 'the quota or the credit is used up',
  fix: 'Top up the account, or choose another provider.',
};
const rateLimited: FailureRule = {
  failure: 'throttled',
  code: 'rate_limited',
  title: 'too many requests',
};
const overloaded: FailureRule = {
  failure: 'throttled',
  code: 'overloaded',
  title: 'the server is overloaded',
};
const serverError: FailureRule = {
  failure: 'transient',
  code: 'server_error',
  title: 'the server failed',
};
const badRequest: FailureRule = {
  failure: 'permanent',
  code: 'bad_request',
  title: 'the request was refused',
};
const tooLong: FailureRule = {
  failure: 'permanent',
  code: 'context_length_exceeded',
  title: 'the prompt is too long for the model',
  fix: 'Shorten the input, or choose a model with a larger context.',
};
const filtered: FailureRule = {
  failure: 'permanent',
  code: 'content_filter',
  title: 'the content filter stopped it',
};
const badSample: FailureRule = {
  failure: 'transient',
  code: 'bad_sample',
  title: 'the server could not use what its model wrote',
};
const modelNotFound: FailureRule = {
  failure: 'permanent',
  code: 'model_not_found',
  title: 'the model is not there',
  fix: 'Check the model id (`--model`, `model` in aiq.config.yaml, `model.id` in agent.yaml).',
};
export const notAModelEndpoint: FailureRule = {
  failure: 'endpoint',
  code: 'not_a_model_endpoint',
  title: 'no model endpoint answers there (a login page, a proxy or a wrong address)',
  fix: addressFix,
};
export const redirected: FailureRule = {
  failure: 'endpoint',
  code: 'redirected',
  title: 'it redirects elsewhere, and the key is sent to no other address',
  fix: 'Set the base URL to the final address.',
};
export const connectionFailed: FailureRule = {
  failure: 'transient',
  code: 'connection_failed',
  title: 'the connection failed',
};

/** By the error's own `code` or `type`, which says more than the status. */
const rulesByCode: { readonly [code: string]: FailureRule } = {
  insufficient_quota: quotaExhausted,
  billing_hard_limit_reached: quotaExhausted,
  billing_not_active: quotaExhausted,
  invalid_api_key: unauthorized,
  authentication_error: unauthorized,
  permission_error: unauthorized,
  context_length_exceeded: tooLong,
  string_above_max_length: tooLong,
  exceed_context_size_error: tooLong,
  json_validate_failed: badSample,
  tool_use_failed: badSample,
  output_parse_failed: badSample,
  content_filter: filtered,
  content_policy_violation: filtered,
  model_not_found: modelNotFound,
  rate_limit_exceeded: rateLimited,
  rate_limit_error: rateLimited,
  overloaded_error: overloaded,
  server_error: serverError,
  invalid_request_error: badRequest,
};

const rulesByStatus: { readonly [status: number]: FailureRule } = {
  401: unauthorized,
  402: quotaExhausted,
  403: unauthorized,
  404: modelNotFound,
  405: notAModelEndpoint,
  407: { ...unauthorized, title: 'a proxy wants credentials', fix: 'Check the proxy settings.' },
  408: { failure: 'transient', code: 'server_timeout', title: 'the server gave up waiting' },
  409: { failure: 'transient', code: 'conflict', title: 'the server reports a conflict' },
  413: tooLong,
  425: { failure: 'transient', code: 'too_early', title: 'the server asks to try again' },
  429: rateLimited,
};

/** What the SDK's errors and undici's have in common, none of it certain. */
interface SeenError {
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly status?: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
  /** The server's `error` object, when the body had one. */
  readonly error?: unknown;
  readonly headers?: { get(name: string): string | null } | undefined;
}

/** Builds the error for a rule; `detail` is text from outside and gets redacted and cut. */
export function failureOf(
  provider: Provider,
  rule: FailureRule,
  detail: string,
  more: ErrorOptions & { status?: number | null; retryAfterMs?: number | null } = {},
): ModelError {
  const status = more.status ?? null;
  const said = printable(detail, secretsOf(provider)).replace(/[.\s]+$/, '');
  const wait = more.retryAfterMs ?? null;
  const parts = [
    `${provider.name} (${shownBaseURL(provider)}): ${rule.title}`,
    status === null ? '' : ` (HTTP ${status})`,
    said === '' ? '' : `: ${said}`,
    '.',
    wait === null ? '' : ` It asks to wait ${Math.ceil(wait / 1000)} s.`,
    rule.fix === undefined ? '' : ` ${rule.fix}`,
  ];
  return new ModelError(rule.failure, rule.code, parts.join(''), more);
}

/**
 * Turns anything thrown by the SDK or by fetch into a ModelError; a ModelError stays itself.
 * `body` is the refusal as it came: the SDK drops what is not in OpenAI's form.
 */
export function toModelError(provider: Provider, thrown: unknown, body = ''): ModelError {
  if (thrown instanceof ModelError) return thrown;
  const seen = (thrown ?? {}) as SeenError;
  const inner = innermost(seen);
  // The SDK's cause chain can hold the request with its headers, so no cause is handed on.
  if (typeof seen.status === 'number')
    return fromStatus(provider, seen, { status: seen.status, body });
  if (seen.error !== undefined) return fromStreamError(provider, seen);
  if (thrown instanceof SyntaxError) {
    return failureOf(provider, { ...serverError, code: 'bad_stream' }, textOf(seen.message));
  }
  const text = textOf(inner.message);
  if (/unexpected redirect/i.test(text)) return failureOf(provider, redirected, '');
  const code = typeof inner.code === 'string' && !text.includes(inner.code) ? inner.code : '';
  return failureOf(
    provider,
    connectionFailed,
    [code, text].filter((part) => part !== '').join(' '),
  );
}

function fromStatus(
  provider: Provider,
  seen: SeenError,
  { status, body }: { status: number; body: string },
): ModelError {
  const waitMs = seen.headers === undefined ? null : retryAfterMs(seen.headers, Date.now());
  const rule = ruleOf(seen, status, waitMs);
  // The SDK puts the status in front of its message; ours names it already.
  const detail = isPresent(seen.error) ? textOf(seen.message).replace(/^\d{3} /, '') : body;
  const wait = rule.failure === 'throttled' || rule.failure === 'transient' ? waitMs : null;
  return failureOf(provider, rule, detail, { status, retryAfterMs: wait });
}

/** Where the code says no more than "bad request". */
const tooLongWords = /context (?:length|size|window)|prompt (?:is|was) too long/i;

function ruleOf(seen: SeenError, status: number, waitMs: number | null): FailureRule {
  const named = ruleNamed(seen);
  // These two are the type of nearly everything below and above 500: the status says more.
  if (named !== undefined && named !== badRequest && named !== serverError) return named;
  if (status === 404 && !isPresent(seen.error)) return notAModelEndpoint;
  if (status === 400 && tooLongWords.test(textOf(seen.message))) return tooLong;
  if (status === 503 && waitMs !== null) return overloaded;
  const known = rulesByStatus[status];
  if (known !== undefined) return known;
  if (status >= 500) return serverError;
  return status >= 400 ? badRequest : notAModelEndpoint;
}

/** An error object in the middle of a stream: no status, but often a code (or a status as the code). */
function fromStreamError(provider: Provider, seen: SeenError): ModelError {
  const status = Number(seen.code);
  const rule =
    ruleNamed(seen) ??
    (status >= 400 && status <= 599 ? ruleOf(seen, status, null) : { ...serverError });
  return failureOf(provider, rule, textOf(seen.message));
}

function ruleNamed(seen: SeenError): FailureRule | undefined {
  for (const name of [seen.code, seen.type]) {
    if (typeof name === 'string' && Object.hasOwn(rulesByCode, name)) return rulesByCode[name];
  }
  return undefined;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function innermost(error: SeenError): SeenError {
  let inner = error;
  for (let depth = 0; depth < 8; depth += 1) {
    const next = (inner.cause ?? firstOf(inner)) as SeenError | null | undefined;
    if (typeof next !== 'object' || next === null) break;
    inner = next;
  }
  return inner;
}

/** "localhost" tried on two addresses fails as an AggregateError with an empty message. */
function firstOf(error: SeenError): unknown {
  return error instanceof AggregateError ? (error.errors as unknown[])[0] : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
