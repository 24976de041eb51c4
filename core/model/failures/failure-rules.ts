/**
 * What each way to fail means: one table by error code, one by HTTP status, one by what a refusal
 * says. Knows no SDK and no retries.
 */

import type { FailureClass } from '../model.ts';

export interface FailureRule {
  readonly failure: FailureClass;
  readonly code: string;
  /** What happened, as the middle of a sentence. */
  readonly title: string;
  readonly fix?: string;
}

const keyFix = 'Check the API key: the environment variable, or `apiKey` under `providers`.';
const addressFix = 'Check the base URL; most end in /v1.';
const modelFix =
  'Check the model id (`--model`, `model` in aiq.config.yaml, `model.id` in agent.yaml).';

const unauthorized: FailureRule = {
  failure: 'misconfigured',
  code: 'unauthorized',
  title: 'the key was refused',
  fix: keyFix,
};
const quotaExhausted: FailureRule = {
  failure: 'exhausted',
  code: 'quota_exhausted',
  title: 'the quota or the credit is used up',
  fix: 'Top up the account, wait until the quota renews, or choose another provider.',
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
export const serverError: FailureRule = {
  failure: 'unavailable',
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
const aboveTheLimit: FailureRule = {
  failure: 'permanent',
  code: 'request_above_limit',
  title: 'the request alone is larger than the rate limit ever allows',
  fix: 'Shorten the input, or choose a model or tier with a larger limit.',
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
const blocked: FailureRule = {
  failure: 'blocked',
  code: 'forbidden',
  title: 'it was refused without a reason',
  fix: 'Check what the key may do, and whether a firewall is in between.',
};
const notThere: FailureRule = {
  failure: 'misconfigured',
  code: 'region_refused',
  title: 'the provider serves no clients from here',
};
const modelNotFound: FailureRule = {
  failure: 'misconfigured',
  code: 'model_not_found',
  title: 'the model is not there',
  fix: modelFix,
};
const noModelLoaded: FailureRule = {
  failure: 'misconfigured',
  code: 'no_model_loaded',
  title: 'the server has no model loaded',
  fix: 'Load one there, or name one that is.',
};
export const notAModelEndpoint: FailureRule = {
  failure: 'misconfigured',
  code: 'not_a_model_endpoint',
  title: 'no model endpoint answers there (a login page, a proxy or a wrong address)',
  fix: addressFix,
};
export const redirected: FailureRule = {
  failure: 'misconfigured',
  code: 'redirected',
  title: 'it redirects elsewhere, and the key is sent to no other address',
  fix: 'Set the base URL to the final address.',
};
const connectionFailed: FailureRule = {
  failure: 'unavailable',
  code: 'connection_failed',
  title: 'the connection failed',
};
export const untrusted: FailureRule = {
  failure: 'unavailable',
  code: 'certificate_untrusted',
  title: 'its certificate is not trusted',
  fix: 'Have it renewed, or name its authority in NODE_EXTRA_CA_CERTS.',
};
export const malformedKey: FailureRule = {
  failure: 'misconfigured',
  code: 'key_malformed',
  title: 'the key has characters that no HTTP header can carry',
  fix: keyFix,
};

/** What a refusal calls itself, none of it certain. */
export interface NamedRefusal {
  readonly code?: unknown;
  readonly type?: unknown;
  /** The server's `error` object, when the body had one. */
  readonly error?: unknown;
}

/** By the error's own `code` or `type`, which is more specific than the status. */
const rulesByCode: { readonly [code: string]: FailureRule } = {
  insufficient_quota: quotaExhausted,
  billing_hard_limit_reached: quotaExhausted,
  billing_not_active: quotaExhausted,
  invalid_api_key: unauthorized,
  authentication_error: unauthorized,
  unsupported_country_region_territory: notThere,
  context_length_exceeded: tooLong,
  exceed_context_size_error: tooLong,
  string_above_max_length: tooLong,
  json_validate_failed: badSample,
  tool_use_failed: badSample,
  output_parse_failed: badSample,
  content_filter: filtered,
  content_policy_violation: filtered,
  moderation_blocked: filtered,
  model_not_found: modelNotFound,
  model_decommissioned: modelNotFound,
  rate_limit_exceeded: rateLimited,
  rate_limit_error: rateLimited,
  overloaded_error: overloaded,
  server_error: serverError,
  invalid_request_error: badRequest,
};

const rulesByStatus: { readonly [status: number]: FailureRule } = {
  401: unauthorized,
  402: quotaExhausted,
  403: blocked,
  404: modelNotFound,
  405: notAModelEndpoint,
  407: { ...unauthorized, title: 'a proxy wants credentials', fix: 'Check the proxy settings.' },
  408: { failure: 'unavailable', code: 'server_timeout', title: 'the server gave up waiting' },
  409: { failure: 'transient', code: 'conflict', title: 'the server reports a conflict' },
  413: tooLong,
  425: { failure: 'unavailable', code: 'too_early', title: 'the server asks to try again' },
  429: rateLimited,
  // Groq: the capacity of its flex tier is used up.
  498: overloaded,
  503: overloaded,
  // Anthropic and others: overloaded.
  529: overloaded,
};

/**
 * By the text of the refusal, within the statuses that it may have: many servers name no code, or the
 * same one for everything. The first that fits counts.
 */
const rulesByText: readonly {
  readonly statuses: readonly number[];
  readonly pattern: RegExp;
  readonly rule: FailureRule;
}[] = [
  {
    statuses: [413, 429],
    pattern:
      /request too large|too large for (?:the )?model|exceeds the (?:maximum|limit) .*per (?:minute|request)/i,
    rule: aboveTheLimit,
  },
  {
    statuses: [403, 429],
    pattern:
      /per[ _-]?day|daily (?:quota|limit)|insufficient[ _](?:quota|credit|balance|funds)|spend(?:ing)?[ _]limit|out of credits/i,
    rule: quotaExhausted,
  },
  {
    statuses: [400, 403, 422],
    pattern:
      /moderation|flagged|content[ _](?:policy|filter|management)|safety (?:policy|system|filter)|usage polic/i,
    rule: filtered,
  },
  {
    statuses: [400, 401, 403],
    pattern:
      /(?:invalid|incorrect|expired|revoked|missing)[ _](?:api[ _-]?)?key|api[ _-]?key (?:is |was )?(?:not valid|invalid|expired|revoked|missing)/i,
    rule: unauthorized,
  },
  {
    statuses: [400, 403],
    pattern:
      /(?:country|region|location)[^.]{0,40}not (?:supported|available|allowed)|not (?:supported|available) in your (?:country|region|location)/i,
    rule: notThere,
  },
  {
    statuses: [400, 404, 503],
    pattern: /no models? (?:is |are )?(?:currently )?loaded/i,
    rule: noModelLoaded,
  },
  {
    statuses: [400, 413, 422, 500],
    pattern:
      /context (?:length|size|window)|maximum context|prompt is too long|too many (?:input )?tokens|exceeds? the (?:available )?context/i,
    rule: tooLong,
  },
  {
    statuses: [400, 403, 404, 422],
    pattern:
      /\bmodel\b[^.]{0,120}?\b(?:not found|does not exist|doesn't exist|not exist|no longer (?:available|supported)|decommissioned|not available|do(?:es)? not have access)|(?:unknown|invalid|no such) model\b|not a valid model/i,
    rule: modelNotFound,
  },
];

/** OpenAI's form: a request whose tokens alone are above the limit of a minute never passes. */
const limitAndRequested = /\bLimit:? (\d+)\b.*?\bRequested:? (\d+)\b/i;

/** By what Node, the TLS library and the resolver say; all else is a failed connection. */
export function connectionRule(code: string, text: string): FailureRule {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME|UNABLE_TO_GET_ISSUER/.test(`${code} ${text}`)
    ? untrusted
    : connectionFailed;
}

export function ruleOf(seen: NamedRefusal, status: number, text: string): FailureRule {
  const named = ruleNamed(seen);
  const byText = ruleByText(status, text);
  // A rate limit that this request alone is above says `rate_limit_exceeded` like any other.
  if (named !== undefined && named !== rateLimited && isNotifying(named)) return named;
  if (byText !== undefined) return byText;
  if (named !== undefined && isNotifying(named)) return named;
  if (status === 404 && (seen.error ?? null) === null) return notAModelEndpoint;
  const known = rulesByStatus[status];
  if (known !== undefined) return known;
  if (status >= 500) return serverError;
  return status >= 400 ? badRequest : notAModelEndpoint;
}

/** The type of nearly every error below and above 500: the status is more specific. */
function isNotifying(rule: FailureRule): boolean {
  return rule !== badRequest && rule !== serverError;
}

function ruleByText(status: number, text: string): FailureRule | undefined {
  const [, limit, requested] = limitAndRequested.exec(text) ?? [];
  if (status === 429 && Number(requested) > Number(limit)) return aboveTheLimit;
  return rulesByText.find(
    ({ statuses, pattern }) => statuses.includes(status) && pattern.test(text),
  )?.rule;
}

export function ruleNamed(seen: NamedRefusal): FailureRule | undefined {
  for (const name of [seen.code, seen.type]) {
    if (typeof name === 'string' && Object.hasOwn(rulesByCode, name)) return rulesByCode[name];
  }
  return undefined;
}
