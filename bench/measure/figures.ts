/** Numbers of many repetitions as one reads them: the middle, and how far they were apart. */

/** The value in the middle; the mean of both when there are two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** The value below which so large a share of them lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** `median [least–most]`. */
export function rangeOf(values: readonly number[], digits = 0): string {
  const [least, middle, most] = [Math.min(...values), median(values), Math.max(...values)].map(
    (value) => value.toFixed(digits),
  );
  return `${middle} [${least}–${most}]`;
}

/** A share of 1 as `12 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
