/** Says when a dead I/O thread may start again, and when so many died that none should. */

import type { NetLimits } from '../net-limits.ts';

/**
 * Counts a crash at `nowMs` and returns how long to wait before the thread starts again; null when
 * too many died lately. One guard serves the whole pool: what kills one thread, a client that
 * comes back with the same bytes, kills the next one that it reaches.
 */
export type CrashGuard = (nowMs: number) => number | null;

export function createCrashGuard(
  limits: Pick<NetLimits, 'restartsMax' | 'restartWindowMs' | 'restartDelayMs'>,
): CrashGuard {
  const { restartsMax, restartWindowMs, restartDelayMs } = limits;
  let recentMs: number[] = [];

  return (nowMs) => {
    recentMs = [...recentMs.filter((atMs) => nowMs - atMs < restartWindowMs), nowMs];
    if (recentMs.length > restartsMax) return null;
    // Each wait is twice the one before: a cause that passes gets time to pass.
    return restartDelayMs * 2 ** (recentMs.length - 1);
  };
}
