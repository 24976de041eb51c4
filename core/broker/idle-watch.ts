/** Notices that nobody needs the broker any more. */

import { SteadyTime } from './steady-time.ts';

interface IdleWatch {
  /** How long it must have been idle without a break. */
  readonly idleMs: number;
  readonly isBusy: () => boolean;
  /** May be called again until the timer is cleared. */
  readonly onIdle: () => void;
}

const checkMsMax = 1_000;

/** Returns the timer that looks. */
export function watchIdle({ idleMs, isBusy, onIdle }: IdleWatch): NodeJS.Timeout {
  const lookMs = Math.min(idleMs / 4, checkMsMax);
  // Who came while the process did not run is seen before it leaves.
  const time = new SteadyTime(() => performance.now(), 2 * lookMs);
  let idleSinceMs = time.now();
  const look = (): void => {
    const nowMs = time.now();
    if (isBusy()) idleSinceMs = nowMs;
    else if (nowMs - idleSinceMs >= idleMs) onIdle();
  };
  return setInterval(look, lookMs);
}
