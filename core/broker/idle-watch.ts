/** Notices that nobody needs the broker any more. */

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
  let idleSinceMs = performance.now();
  const look = (): void => {
    if (isBusy()) idleSinceMs = performance.now();
    else if (performance.now() - idleSinceMs >= idleMs) onIdle();
  };
  return setInterval(look, Math.min(idleMs / 4, checkMsMax));
}
