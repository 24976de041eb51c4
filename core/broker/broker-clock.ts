/**
 * The two clocks of the broker. Deadlines run on `SteadyTime`. The wall clock is the broker's own: it
 * begins with the system's and goes on by what really passed, so that a system clock that is set
 * moves no delay and ages nothing; it is led back to the system's slowly.
 */

import { uptime } from 'node:os';
import type { Now } from './events.ts';
import { SteadyTime } from './steady-time.ts';

export interface ClockSource {
  /** Never goes back; may stand still while the machine sleeps. */
  readonly monotonicMs: () => number;
  /** The system's wall clock, which people and time servers set. */
  readonly wallMs: () => number;
  /** Since the machine started, its sleep included. */
  readonly uptimeMs: () => number;
}

const systemClocks: ClockSource = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  uptimeMs: () => uptime() * 1000,
};

/** What the broker's wall clock showed at an uptime of the machine. */
export interface KeptClock {
  readonly wallMs: number;
  readonly uptimeMs: number;
}

interface BrokerClockOptions {
  readonly source?: ClockSource;
  /** Of an earlier broker of the folder, since when the machine has not started anew. */
  readonly kept?: KeptClock | null;
  /** See `SteadyTime`. */
  readonly stepMsMax: number;
  readonly onNotice: (text: string) => void;
}

/** A broker that misses so much must have been stopped, whatever else it does. */
const stepMsMaxDefault = 250;

/** The longest time between two looks that counts: far below what a lease may miss. */
export function stepMsMaxOf(leaseMs: number): number {
  return Math.min(stepMsMaxDefault, leaseMs / 4);
}

/** Longer than a client waits between two attempts to connect. */
const returnMs = 3_500;
/** A broker that nobody can reach for longer must not keep everything as it was. */
const unreachableMsMax = 15_000;

/** Of the time that passes, how much the wall clock may go faster or slower: delays hold within it. */
const slewShare = 0.01;
/** What a time server corrects without anybody noticing. */
const jumpMsMin = 5_000;
/**
 * A start takes the system's clock over unless it is so much off what really passed: suspended guests may miss weeks, but
 * nothing that is kept for its default time may be forgotten at once.
 */
export const takeoverMsMax: number = 30 * 86_400_000;
/** Above what the uptime may be told wrong by. */
const sleepMsMin = 2_000;

export class BrokerClock {
  readonly #source: ClockSource;
  readonly #steady: SteadyTime;
  readonly #onNotice: (text: string) => void;
  /** Uptime beyond the monotonic clock: sleep that was counted. */
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

  /** While a deadline runs, the clock must be looked at this often. */
  get lookMs(): number {
    return Math.floor(this.#steady.stepMsMax / 2);
  }

  /** Some clients cannot connect, or can again: deadlines stand until they had time to come back. */
  reachable(isReachable: boolean): void {
    this.#steady.standFor(isReachable ? returnMs : unreachableMsMax);
  }

  /** To measure how long work takes; counts also what is missed. */
  get workMs(): number {
    return this.#source.monotonicMs();
  }

  /** The log holds this time: the wall clock goes on from there when the system's lies before it. */
  startAfter(newestMs: number): void {
    const behindMs = newestMs - this.#wallMs;
    if (behindMs <= 0) return;
    this.#wallMs = newestMs;
    if (behindMs >= jumpMsMin) {
      this.#onNotice(
        `the system's clock shows ${dateOf(this.#systemMs)}, ${spanOf(behindMs)} before the newest time ` +
          `in the log: times go on from ${dateOf(newestMs)}`,
      );
    }
  }

  #goOnFrom(passedMs: number): void {
    const aheadMs = this.#systemMs - passedMs;
    if (Math.abs(aheadMs) < takeoverMsMax) return;
    this.#wallMs = passedMs;
    this.#onNotice(
      `the system's clock shows ${dateOf(this.#systemMs)}, ${spanOf(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the time that ` +
        `passed since the last broker started: times go on from ${dateOf(passedMs)}; to take the system's over, stop the broker ` +
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

  /** How long the machine slept since that was asked last. */
  #sleepOf(realMs: number): number {
    const sleptMs = this.#source.uptimeMs() - realMs - this.#sleptMs;
    if (sleptMs < sleepMsMin) return 0;
    this.#sleptMs += sleptMs;
    return sleptMs;
  }

  #noticeJump(jumpMs: number): void {
    const direction = jumpMs > 0 ? 'ahead' : 'back';
    this.#onNotice(
      `the system's clock was set ${direction} by ${spanOf(Math.abs(jumpMs))}: delays and what is kept ` +
        'go on by the time that passed; the next start takes the new clock over, unless it is 30 days off',
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

/** In the largest unit of which there are two. */
function spanOf(ms: number): string {
  const [name, unitMs] = spans.find(([, eachMs]) => ms >= 2 * eachMs) ?? spans[3];
  return `${Math.round(ms / unitMs)} ${name}`;
}
