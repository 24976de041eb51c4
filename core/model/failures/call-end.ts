/** What the failure of a request says about its price: the one place that decides it. */

import type { ModelError } from '../model.ts';

/**
 * `settled`: the answer said what it used. `unknown`: something may be billed, and no one knows how
 * much. `unsent`: nothing is billed.
 */
export type CallEnd = 'settled' | 'unknown' | 'unsent';

/**
 * Refusals after which a provider may bill what it has read or written by then: Azure names the first
 * two, and the third is about what the model wrote.
 */
const billedCodes = ['content_filter', 'context_length_exceeded', 'bad_sample'];

/** Statuses of those who stopped waiting for an answer that may be under way. */
const gaveUpStatuses = [408, 499];

/** No provider knows how to do that. */
const notImplemented = 501;

/** Codes of a request that was refused, or that no provider got, without a status that says it. */
const refusedCodes = [
  'bad_request',
  'unauthorized',
  'quota_exhausted',
  'rate_limited',
  'request_above_limit',
  'region_refused',
  'model_not_found',
  'no_model_loaded',
  'redirected',
];

export function callEndOf(error: ModelError): CallEnd {
  const { usage, status, code, isSent } = error;
  if (usage !== null) return usage.estimated ? 'unknown' : 'settled';
  if (!isSent) return 'unsent';
  if (billedCodes.includes(code)) return 'unknown';
  return isRefused(error, status) ? 'unsent' : 'unknown';
}

function isRefused({ code, failure }: ModelError, status: number | null): boolean {
  if (status !== null) {
    if (gaveUpStatuses.includes(status)) return false;
    return (status >= 400 && status < 500) || status === notImplemented;
  }
  // Where calls were answered before, such a page may stand in front of an answer.
  if (code === 'not_a_model_endpoint') return failure === 'misconfigured';
  return refusedCodes.includes(code);
}
