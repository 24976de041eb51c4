/** Durations, sizes, counts and money as people write them in files and flags. */

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

const microsPerUnit = 1_000_000;
/** Of an amount: millionths. */
const decimalsMax = 6;

/** Millionths of an amount such as `3` or `0.25`; null for what is none, or too large to be exact. */
export function parseMicros(text: string): number | null {
  const [, whole, part = ''] = /^(\d+)(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  const micros = Number(whole) * microsPerUnit + Number(part.padEnd(decimalsMax, '0'));
  return Number.isSafeInteger(micros) ? micros : null;
}

/** An amount in millionths as people write it, exact: `3`, `0.25`, with `decimalsMin` 2 `3.00`. */
export function formatMicros(micros: number, decimalsMin = 0): string {
  const part = Math.abs(micros % microsPerUnit);
  const whole = (Math.abs(micros) - part) / microsPerUnit;
  let decimals = String(part).padStart(decimalsMax, '0');
  while (decimals.length > decimalsMin && decimals.endsWith('0')) decimals = decimals.slice(0, -1);
  return `${micros < 0 ? '-' : ''}${whole}${decimals === '' ? '' : `.${decimals}`}`;
}
