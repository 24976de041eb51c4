/** Exponential backoff: the pause before something that failed is tried again. */

export interface BackoffRange {
  /** Pause after the first failure, milliseconds. */
  readonly minMs: number;
  /** No pause is longer. */
  readonly maxMs: number;
}

/** Beyond 2^30 every cap has long been reached, and the power would leave the safe integers. */
const doublingsMax = 30;

/** Milliseconds to wait after `failures` in a row: 0 without any, then doubling from `minMs` to `maxMs`. */
export function backoffMs(failures: number, { minMs, maxMs }: BackoffRange): number {
  if (failures <= 0) return 0;
  return Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, doublingsMax));
}

/**
 * Takes a random part of a pause away, so that those that failed together do not come back together.
 * @param share the most that is taken away, from 0 to 1; 1 is full jitter
 * @param random from 0 to 1
 */
export function withJitter(ms: number, random: () => number = Math.random, share = 0.5): number {
  return Math.round(ms * (1 - share + share * random()));
}
