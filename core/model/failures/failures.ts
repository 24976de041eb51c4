/** Turns whatever the SDK or fetch throws into a ModelError, by the rules for failures. Knows no retries. */

import { ModelError, type Provider } from '../model.ts';
import { secretsOf } from '../provider/authorization.ts';
import { shownBaseURL } from '../provider/base-url.ts';
import {
  connectionRule,
  type FailureRule,
  malformedKey,
  type NamedRefusal,
  redirected,
  ruleNamed,
  ruleOf,
  serverError,
  untrusted,
} from './failure-rules.ts';
import { printable } from './redact.ts';
import { retryAfterMs } from './retry-after.ts';

/** What the SDK's errors and undici's have in common, none of it certain. */
interface SeenError extends NamedRefusal {
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly status?: unknown;
  readonly syscall?: unknown;
  readonly headers?: { get(name: string): string | null } | undefined;
}

/** Builds the error for a rule; `detail` is text from outside and gets redacted and cut. */
export function failureOf(
  provider: Provider,
  rule: FailureRule,
  detail: string,
  more: ErrorOptions & {
    status?: number | null;
    retryAfterMs?: number | null;
    isSent?: boolean;
  } = {},
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
  // Its text shows the character and so a part of the key.
  if (/cannot convert argument to a bytestring|invalid header value/i.test(text)) {
    return failureOf(provider, malformedKey, '', { isSent: false });
  }
  const code = typeof inner.code === 'string' && !text.includes(inner.code) ? inner.code : '';
  const said = [code, text].filter((part) => part !== '').join(' ');
  const rule = connectionRule(code, text);
  // A certificate is checked before anything is sent.
  const isSent = rule !== untrusted && !beforeSending.includes(String(inner.syscall));
  return failureOf(provider, rule, `${said}${proxyHint()}`, { isSent });
}

/** What a connection does before it can carry a request. */
const beforeSending = ['getaddrinfo', 'connect'];

/** A proxy that is set and not used explains many a failed connection. */
function proxyHint(): string {
  const { env } = process;
  const set = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY'].find(
    (name) => env[name],
  );
  if (set === undefined || env['NODE_USE_ENV_PROXY'] === '1') return '';
  return `; ${set} is set and not used: set NODE_USE_ENV_PROXY=1 as well`;
}

function fromStatus(
  provider: Provider,
  seen: SeenError,
  { status, body }: { status: number; body: string },
): ModelError {
  const waitMs = seen.headers === undefined ? null : retryAfterMs(seen.headers, Date.now());
  // The SDK puts the status in front of its message; ours names it already.
  const detail = isPresent(seen.error) ? textOf(seen.message).replace(/^\d{3} /, '') : body;
  const rule = ruleOf(seen, status, isPage(body) ? '' : detail);
  const wait = rule.failure === 'throttled' || rule.failure === 'transient' ? waitMs : null;
  return failureOf(provider, rule, detail, { status, retryAfterMs: wait });
}

/** An error object in the middle of a stream: no status, but often a code (or a status as the code). */
function fromStreamError(provider: Provider, seen: SeenError): ModelError {
  const status = Number(seen.code);
  const rule =
    ruleNamed(seen) ??
    (status >= 400 && status <= 599 ? ruleOf(seen, status, textOf(seen.message)) : serverError);
  return failureOf(provider, rule, textOf(seen.message));
}

/** The text of a proxy's or firewall's page is not matched: it is not about models. */
function isPage(body: string): boolean {
  return /^\s*<(?:!doctype|html)/i.test(body);
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
