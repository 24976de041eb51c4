/** One timer for everything in the core that becomes due. */

import type { BrokerClock } from '../broker-clock.ts';
import type { Scheduler } from '../log/contract.ts';
import type { QueueMachine } from '../state-machine/machine.ts';

/** Timers of the event loop hold no more; a later look does no harm. */
const timerMsMax = 60_000;

interface DueTimerOptions {
  readonly machine: Pick<QueueMachine, 'nextDueMs' | 'hasDeadlines'>;
  readonly clock: BrokerClock;
  readonly scheduler: Scheduler;
  readonly onDue: () => void;
}

export class DueTimer {
  readonly #options: DueTimerOptions;
  #cancel: () => void = () => undefined;
  #isDueNow = false;

  constructor(options: DueTimerOptions) {
    this.#options = options;
  }

  /** To be called when the core has handled something: what is due next may have changed. */
  set(): void {
    const { machine, clock, scheduler, onDue } = this.#options;
    this.cancel();
    const dueMs = machine.nextDueMs(clock.now());
    if (dueMs === null) return;
    if (dueMs <= 0) {
      void this.#afterThisRound();
      return;
    }
    // While a deadline runs, the clock must be looked at.
    const mostMs = machine.hasDeadlines ? clock.lookMs : timerMsMax;
    this.#cancel = scheduler.after(Math.min(dueMs, mostMs), onDue);
  }

  /** At once, but behind what has arrived: a timer would take a millisecond at least. */
  async #afterThisRound(): Promise<void> {
    if (this.#isDueNow) return;
    this.#isDueNow = true;
    await this.#options.scheduler.afterThisRound();
    this.#isDueNow = false;
    this.#options.onDue();
  }

  cancel(): void {
    this.#cancel();
  }
}
