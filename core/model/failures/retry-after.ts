/** Reads the headers in which a server says how long to wait before the next request. */

import { parseDuration } from '../../base/index.ts';

/** Longest wait that is believed: 15 minutes. */
export const retryAfterMsMax = 15 * 60_000;

interface HeaderReader {
  get(name: string): string | null;
}

/**
 * Milliseconds until the server wants to be asked again, at most 15 minutes; null when it does not say.
 * `retry-after-ms`, then `Retry-After` (seconds or HTTP date), then the reset time of whichever
 * `x-ratelimit-*` allowance is used up.
 */
export function retryAfterMs(headers: HeaderReader, nowMs: number): number | null {
  const waitMs =
    milliseconds(headers.get('retry-after-ms')) ??
    secondsOrDate(headers.get('retry-after'), nowMs) ??
    rateLimitResetMs(headers);
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

function rateLimitResetMs(headers: HeaderReader): number | null {
  const waits = ['requests', 'tokens'].flatMap((kind) => {
    if (headers.get(`x-ratelimit-remaining-${kind}`) !== '0') return [];
    const waitMs = durationMs(headers.get(`x-ratelimit-reset-${kind}`));
    return waitMs === null ? [] : [waitMs];
  });
  return waits.length === 0 ? null : Math.max(...waits);
}

/** `6m0s`, `1.5s`, `20ms` or bare seconds. */
function durationMs(value: string | null): number | null {
  if (value === null) return null;
  if (isDecimal(value)) return Number(value) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(value)) return null;
  const parts = value.match(/[\d.]+[a-z]+/g) ?? [];
  return parts.reduce((totalMs, part) => totalMs + (parseDuration(part) ?? 0), 0);
}

function isDecimal(value: string): boolean {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(value);
}
