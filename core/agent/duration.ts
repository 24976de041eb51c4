/** Durations as people write them. */

const unitMs: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a text that already fits the schema's pattern: `250ms`, `90s`, `5m`, `1h`. */
export function durationMs(text: string): number {
  const [, count = '', unit = ''] = /^([0-9]+)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(count) * (unitMs[unit] ?? Number.NaN);
}
