/** One timer for all deadlines and delays of the state machine. */

import type { BrokerClock } from '../broker-clock.ts';
import type { Scheduler } from '../log/contract.ts';
import type { QueueMachine } from '../state-machine/machine.ts';

/** Longest timer: a check that comes early does no harm. */
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

  /** Sets the timer again; call it after the state machine handled anything. */
  set(): void {
    const { machine, clock, scheduler, onDue } = this.#options;
    this.cancel();
    const dueMs = machine.nextDueMs(clock.now());
    if (dueMs === null) return;
    if (dueMs <= 0) {
      void this.#afterThisRound();
      return;
    }
    // While a deadline runs, `SteadyTime` must be read this often.
    const mostMs = machine.hasDeadlines ? clock.pollMs : timerMsMax;
    this.#cancel = scheduler.after(Math.min(dueMs, mostMs), onDue);
  }

  /** Runs in this round of the event loop, after I/O: a timer would take a millisecond at least. */
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
