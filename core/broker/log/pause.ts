/** A time to wait before something is tried again, which ends early when nobody wants it any more. */

import type { Scheduler } from './contract.ts';

export class RetryDelay {
  readonly #scheduler: Scheduler;
  #end: () => void = () => undefined;
  #stopped = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  async wait(ms: number): Promise<void> {
    if (this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#scheduler.after(ms, resolve);
    this.#end = () => {
      cancel();
      resolve();
    };
    await promise;
  }

  /** Ends the wait that lasts, and all that would follow. */
  stop(): void {
    this.#stopped = true;
    this.#end();
  }
}

/** Before the first of several tries, and at most; each next one waits twice as long. */
const firstMs = 100;
const mostMs = 10_000;

export function retryDelayMs(failures: number): number {
  return Math.min(mostMs, firstMs * 2 ** (failures - 1));
}
