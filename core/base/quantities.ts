/** Durations, sizes and counts as people write them in files and flags. */

const unitMs: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A thousand years, however one counts their days. */
const durationMsMax = 1_000 * 366 * 86_400_000;

/** Whole milliseconds of `250ms`, `1.5s`, `5m`, `1h` or `2d`; null for what is no duration in range. */
export function parseDuration(text: string): number | null {
  const ms = millisecondsOf(text);
  return ms >= 1 && ms <= durationMsMax ? Math.round(ms) : null;
}

/** What is wrong with a text that is no duration in range; goes on behind it. */
export function durationProblem(text: string): string {
  if (millisecondsOf(text) > durationMsMax) return 'is longer than 1000 years';
  return 'is not a duration such as 90s, 5m or 1h';
}

/** NaN for what has no form of a duration. */
function millisecondsOf(text: string): number {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(count) * (unitMs[unit] ?? Number.NaN);
}

const binaryPrefixes = 'KMGT';

/** Bytes of `4096`, `512KiB`, `4MiB`, `2GiB` or `1TiB`; null for what is no size from 1 to `bytesMax`. */
export function parseSize(text: string, bytesMax = Number.MAX_SAFE_INTEGER): number | null {
  const [, count, prefix] = /^(\d+)(?: ?([KMGT])iB)?$/.exec(text) ?? [];
  const bytes = Number(count) * 1024 ** (binaryPrefixes.indexOf(prefix ?? '?') + 1);
  return bytes >= 1 && bytes <= bytesMax ? bytes : null;
}

/** A whole number in digits; null for what is none from `min` to `max`. */
export function parseCount(text: string, min: number, max: number): number | null {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return count >= min && count <= max ? count : null;
}
