/**
 * Slows a crash loop down: the first crashes in a minute are replaced at once, further ones after
 * a pause that doubles. Threads that never come up at all are another matter: then nothing works.
 */

const freeCrashes = 5;
const windowMs = 60_000;
const pauseMsMin = 1_000;
const pauseMsMax = 30_000;
const failedStartsMax = 3;

export interface CrashGuard {
  /** A thread died; the answer is how long its seat should stay empty. */
  crashed(nowMs: number): number;
  /** A thread died before it was ready; true when it is time to give up. */
  failedToStart(): boolean;
  started(): void;
}

export function createCrashGuard(): CrashGuard {
  let crashes: number[] = [];
  let failedStarts = 0;
  return {
    crashed(nowMs) {
      crashes = [...crashes.filter((atMs) => nowMs - atMs < windowMs), nowMs];
      const beyond = crashes.length - freeCrashes;
      return beyond <= 0 ? 0 : Math.min(pauseMsMax, pauseMsMin * 2 ** (beyond - 1));
    },
    failedToStart() {
      failedStarts += 1;
      return failedStarts >= failedStartsMax;
    },
    started() {
      failedStarts = 0;
    },
  };
}
