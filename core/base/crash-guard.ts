/** Slows down a crash loop: says when a worker that died may be started again, if at all. */

import { type BackoffRange, backoffMs } from './backoff.ts';

export interface CrashLimits {
  /** Only crashes within this time count, milliseconds. */
  readonly windowMs: number;
  /** So many crashes in the window cost no pause. */
  readonly freeCrashes: number;
  /** After more crashes in the window nothing is started any more; `Infinity` never gives up. */
  readonly crashesMax: number;
  /** Pauses after the free crashes. */
  readonly pause: BackoffRange;
}

/**
 * Counts a crash at `nowMs` and returns how long to wait before the next start; null when there were
 * too many. One guard serves a whole pool: what kills one worker kills the next one that it reaches.
 */
export type CrashGuard = (nowMs: number) => number | null;

export function createCrashGuard(limits: CrashLimits): CrashGuard {
  const { windowMs, freeCrashes, crashesMax, pause } = limits;
  let recentMs: number[] = [];
  return (nowMs) => {
    recentMs = [...recentMs.filter((atMs) => nowMs - atMs < windowMs), nowMs];
    if (recentMs.length > crashesMax) return null;
    return backoffMs(recentMs.length - freeCrashes, pause);
  };
}
