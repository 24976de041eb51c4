/** Delays before retries, with exponential backoff; a delay ends early when it is stopped. */

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

  /** Ends the present wait, and all later ones. */
  stop(): void {
    this.#stopped = true;
    this.#end();
  }
}

/** First and longest delay; each retry doubles it. */
const firstMs = 100;
const mostMs = 10_000;

export function retryDelayMs(failures: number): number {
  return Math.min(mostMs, firstMs * 2 ** (failures - 1));
}
