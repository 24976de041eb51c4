/** Timers of any length: those of the platform fire at once when they are longer than 24.8 days. */

const stepMsMax = 2 ** 31 - 1;

export interface Timer {
  clear(): void;
}

/**
 * Calls back after `ms`, be it a thousand years.
 * @param options.keepsAlive false lets the process end meanwhile; default true
 */
export function startTimer(
  ms: number,
  onOver: () => void,
  { keepsAlive = true }: { readonly keepsAlive?: boolean } = {},
): Timer {
  let handle: ReturnType<typeof setTimeout>;
  const wait = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, stepMsMax);
    handle = setTimeout(() => {
      if (leftMs > stepMs) wait(leftMs - stepMs);
      else onOver();
    }, stepMs);
    if (!keepsAlive) handle.unref();
  };
  wait(ms);
  return { clear: () => clearTimeout(handle) };
}
