/** Detects that the broker has been idle for long enough to exit. */

import { SteadyTime } from './steady-time.ts';

interface IdleWatch {
  /** Idle time without interruption before `onIdle`. */
  readonly idleMs: number;
  readonly isBusy: () => boolean;
  /** May be called again until the timer is cleared. */
  readonly onIdle: () => void;
}

const checkMsMax = 1_000;

/** Returns the timer, to be cleared by the caller. */
export function watchIdle({ idleMs, isBusy, onIdle }: IdleWatch): NodeJS.Timeout {
  const checkMs = Math.min(idleMs / 4, checkMsMax);
  // A client that came while the process was suspended is noticed first.
  const time = new SteadyTime(() => performance.now(), 2 * checkMs);
  let idleSinceMs = time.now();
  const check = (): void => {
    const nowMs = time.now();
    if (isBusy()) idleSinceMs = nowMs;
    else if (nowMs - idleSinceMs >= idleMs) onIdle();
  };
  return setInterval(check, checkMs);
}
