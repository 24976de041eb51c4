/** Reads the headers in which a server says how long to wait before the next request. */

import { type HeaderReader, isDecimal, usedUpForMs } from './allowances.ts';

/** Longest wait that is believed: 15 minutes. */
export const retryAfterMsMax = 15 * 60_000;

/**
 * Milliseconds until the server wants to be asked again, at most 15 minutes; null when it does not say.
 * `retry-after-ms`, then `Retry-After` (seconds or HTTP date), then the reset time of whichever
 * limit is used up.
 */
export function retryAfterMs(headers: HeaderReader, nowMs: number): number | null {
  const waitMs =
    milliseconds(headers.get('retry-after-ms')) ??
    secondsOrDate(headers.get('retry-after'), nowMs) ??
    usedUpForMs(headers, nowMs);
  return waitMs === null ? null : Math.min(Math.max(0, Math.ceil(waitMs)), retryAfterMsMax);
}

function milliseconds(value: string | null): number | null {
  return value !== null && isDecimal(value) ? Number(value) : null;
}

function secondsOrDate(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  if (isDecimal(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : atMs - nowMs;
}
