/**
 * Virtual time: clocks that only the simulation moves, a wall clock that jumps, and the timers and
 * rounds of I/O of the one broker that lives.
 */

import type { ClockSource } from '../../../core/broker/broker-clock.ts';
import type { Scheduler } from '../../../core/broker/log/contract.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

export class SimClock {
  /** As the system has it: it stands while the machine sleeps. */
  monotonicMs = 1_000;
  /** As the system shows it. */
  wallMs = 1_700_000_000_000;
  /** What really passed, the machine's sleep included. */
  passedMs = 50_000;
  /** Of that, what the broker may count against anybody. */
  ranMs = 0;

  get source(): ClockSource {
    return {
      monotonicMs: () => this.monotonicMs,
      wallMs: () => this.wallMs,
      uptimeMs: () => this.passedMs,
    };
  }

  advance(ms: number): void {
    this.monotonicMs += ms;
    this.#pass(ms);
    this.ranMs += ms;
  }

  /** The process is stopped, and of that at most `countedMs` are the clients'. */
  pause(ms: number, countedMs: number): void {
    this.monotonicMs += ms;
    this.#pass(ms);
    this.ranMs += Math.min(ms, countedMs);
  }

  /** The machine is suspended. */
  sleep(ms: number): void {
    this.#pass(ms);
  }

  /** The wall clock is set, as by an operator or a time server; nothing else notices. */
  jump(ms: number): void {
    this.wallMs = Math.max(1, this.wallMs + ms);
  }

  #pass(ms: number): void {
    this.passedMs += ms;
    this.wallMs += ms;
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
