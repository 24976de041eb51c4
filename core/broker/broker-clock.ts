/**
 * The two clocks of the broker. Deadlines run on `SteadyTime`. The broker's own wall clock starts from
 * the system's and advances by elapsed time, so that setting the system clock changes no delay and no
 * age; it is slewed back to the system's.
 */

import { uptime } from 'node:os';
import type { Now } from './events.ts';
import { SteadyTime } from './steady-time.ts';

export interface ClockSource {
  /** Never goes back; may stop while the machine sleeps. */
  readonly monotonicMs: () => number;
  /** The system's wall clock, which people and time servers set. */
  readonly wallMs: () => number;
  /** Since boot, including sleep. */
  readonly uptimeMs: () => number;
}

const systemClocks: ClockSource = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  uptimeMs: () => uptime() * 1000,
};

/** The broker's wall clock at an uptime of the machine. */
export interface KeptClock {
  readonly wallMs: number;
  readonly uptimeMs: number;
}

interface BrokerClockOptions {
  readonly source?: ClockSource;
  /** From an earlier broker of the folder since boot. */
  readonly kept?: KeptClock | null;
  /** See `SteadyTime`. */
  readonly stepMsMax: number;
  readonly onNotice: (text: string) => void;
}

/** A process that misses more was suspended, whatever its load. */
const stepMsMaxDefault = 250;

/** The longest time between two readings that counts: far below what a lease may miss. */
export function stepMsMaxOf(leaseMs: number): number {
  return Math.min(stepMsMaxDefault, leaseMs / 4);
}

/** Longer than a client's delay between two attempts to connect. */
const returnMs = 3_500;
/** Deadlines pause no longer than this while clients cannot connect. */
const unreachableMsMax = 15_000;

/** Slew of the wall clock as a share of elapsed time: delays are exact within it. */
const slewShare = 0.01;
/** Smaller corrections are usual for time servers, and not reported. */
const jumpMsMin = 5_000;
/**
 * A start adopts the system's clock unless it differs so much from the elapsed time: suspended guests
 * may miss weeks, but nothing that is kept for its default time may expire at once.
 */
export const takeoverMsMax: number = 30 * 86_400_000;
/** Above the error of the uptime. */
const sleepMsMin = 2_000;

export class BrokerClock {
  readonly #source: ClockSource;
  readonly #steady: SteadyTime;
  readonly #onNotice: (text: string) => void;
  /** Uptime beyond the monotonic clock: sleep counted so far. */
  #sleptMs: number;
  #realMs: number;
  #systemMs: number;
  #wallMs: number;

  constructor({ source = systemClocks, kept, stepMsMax, onNotice }: BrokerClockOptions) {
    this.#source = source;
    this.#onNotice = onNotice;
    this.#steady = new SteadyTime(source.monotonicMs, stepMsMax);
    this.#realMs = source.monotonicMs();
    this.#sleptMs = source.uptimeMs() - this.#realMs;
    this.#systemMs = source.wallMs();
    this.#wallMs = this.#systemMs;
    if (kept) this.#goOnFrom(kept.wallMs + source.uptimeMs() - kept.uptimeMs);
  }

  /** For the next start. */
  get kept(): KeptClock {
    const { wallMs } = this.now();
    return { wallMs, uptimeMs: Math.floor(this.#source.uptimeMs()) };
  }

  /** While a deadline runs, `now` must be called this often. */
  get pollMs(): number {
    return Math.floor(this.#steady.stepMsMax / 2);
  }

  /** Some clients cannot connect, or can again: deadlines pause until they had time to reconnect. */
  reachable(isReachable: boolean): void {
    this.#steady.pauseFor(isReachable ? returnMs : unreachableMsMax);
  }

  /** Monotonic time to measure work, including time that `now` skips. */
  get workMs(): number {
    return this.#source.monotonicMs();
  }

  /** Advances the wall clock to the newest time in the log, if that is later. */
  startAfter(newestMs: number): void {
    const behindMs = newestMs - this.#wallMs;
    if (behindMs <= 0) return;
    this.#wallMs = newestMs;
    if (behindMs >= jumpMsMin) {
      this.#onNotice(
        `the system's clock shows ${dateOf(this.#systemMs)}, ${spanOf(behindMs)} before the newest time ` +
          `in the log: the broker's clock continues from ${dateOf(newestMs)}`,
      );
    }
  }

  #goOnFrom(passedMs: number): void {
    const aheadMs = this.#systemMs - passedMs;
    if (Math.abs(aheadMs) < takeoverMsMax) return;
    this.#wallMs = passedMs;
    this.#onNotice(
      `the system's clock shows ${dateOf(this.#systemMs)}, ${spanOf(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the time that ` +
        `passed since the last broker started: the broker's clock continues from ${dateOf(passedMs)}; to use the system's, stop the broker ` +
        'and remove the file clock in its folder',
    );
  }

  now(): Now {
    const { monotonicMs, wallMs } = this.#source;
    const realMs = monotonicMs();
    const systemMs = wallMs();
    let passedMs = realMs - this.#realMs;
    let jumpMs = systemMs - this.#systemMs - passedMs;
    if (Math.abs(jumpMs) >= sleepMsMin) {
      const sleptMs = this.#sleepOf(realMs);
      passedMs += sleptMs;
      jumpMs -= sleptMs;
    }
    this.#realMs = realMs;
    this.#systemMs = systemMs;
    this.#wallMs += passedMs;
    const slewMsMax = passedMs * slewShare;
    this.#wallMs += Math.max(-slewMsMax, Math.min(slewMsMax, systemMs - this.#wallMs));
    if (Math.abs(jumpMs) >= jumpMsMin) this.#noticeJump(jumpMs);
    return {
      monotonicMs: this.#steady.now(),
      wallMs: Math.floor(this.#wallMs),
      systemMs: Math.floor(systemMs),
    };
  }

  /** How long the machine slept since the last call. */
  #sleepOf(realMs: number): number {
    const sleptMs = this.#source.uptimeMs() - realMs - this.#sleptMs;
    if (sleptMs < sleepMsMin) return 0;
    this.#sleptMs += sleptMs;
    return sleptMs;
  }

  #noticeJump(jumpMs: number): void {
    const direction = jumpMs > 0 ? 'ahead' : 'back';
    this.#onNotice(
      `the system's clock was set ${direction} by ${spanOf(Math.abs(jumpMs))}: delays and retention ` +
        'continue by elapsed time; the next start uses the new clock, unless it differs by 30 days',
    );
  }
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}

const spans = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
  ['seconds', 1_000],
] as const;

/** In the largest unit of which there are at least two. */
function spanOf(ms: number): string {
  const [name, unitMs] = spans.find(([, eachMs]) => ms >= 2 * eachMs) ?? spans[3];
  return `${Math.round(ms / unitMs)} ${name}`;
}
