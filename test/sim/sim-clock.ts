/**
 * Virtual time: a monotonic clock that only the simulation moves, a wall clock that jumps, and the
 * timers and rounds of I/O of the one broker that lives.
 */

import type { Now } from '../../core/broker/events.ts';
import type { Scheduler } from '../../core/broker/log/contract.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

export class SimClock {
  monotonicMs = 1_000;
  wallMs = 1_700_000_000_000;
  #latestMs = 0;

  now(): Now {
    return { monotonicMs: this.monotonicMs, wallMs: this.wallMs };
  }

  advance(ms: number): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
  }

  /** The latest time that the wall clock ever showed is shown again. */
  setRight(): void {
    this.wallMs = Math.max(this.wallMs, this.#latestMs);
  }

  /** The wall clock is set, as by an operator or a time server; the monotonic one does not notice. */
  jump(ms: number): void {
    this.#latestMs = Math.max(this.#latestMs, this.wallMs);
    this.wallMs = Math.max(1, this.wallMs + ms);
  }
}

/** Timers and rounds of one life of the broker; both happen when the simulation says so. */
export class SimScheduler implements Scheduler {
  readonly #clock: SimClock;
  #timers: Timer[] = [];
  #rounds: (() => void)[] = [];
  #order = 0;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  afterThisRound(): Promise<void> {
    return new Promise((resolve) => {
      this.#rounds.push(resolve);
    });
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#clock.monotonicMs + ms, order: this.#order++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  get hasRound(): boolean {
    return this.#rounds.length > 0;
  }

  /** Ends the round of I/O: everybody who waited for that goes on. */
  endRound(): void {
    const rounds = this.#rounds;
    this.#rounds = [];
    for (const resolve of rounds) resolve();
  }

  /** When the next timer is due, on the monotonic clock; null when there is none. */
  get nextAtMs(): number | null {
    const next = this.#next();
    return next === undefined ? null : next.atMs;
  }

  /** Fires the first timer that is due. Returns false when none is. */
  fireDue(): boolean {
    const next = this.#next();
    if (next === undefined || next.atMs > this.#clock.monotonicMs) return false;
    this.#timers = this.#timers.filter((each) => each !== next);
    next.callback();
    return true;
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      const isFirst =
        next === undefined ||
        timer.atMs < next.atMs ||
        (timer.atMs === next.atMs && timer.order < next.order);
      if (isFirst) next = timer;
    }
    return next;
  }
}
