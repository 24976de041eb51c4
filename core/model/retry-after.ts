/** Reads what a server says about when to come back. */

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

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `6m0s`, `1.5s`, `20ms` or bare seconds. */
function durationMs(value: string | null): number | null {
  if (value === null) return null;
  if (isDecimal(value)) return Number(value) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(value)) return null;
  let totalMs = 0;
  for (const [, number, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    totalMs += Number(number) * unitMs[unit as keyof typeof unitMs];
  }
  return totalMs;
}

function isDecimal(value: string): boolean {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(value);
}
