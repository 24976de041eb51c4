/** The broker's wall clock goes by what really passed, whatever the system's shows meanwhile. */

import { type KeptClock, takeoverMsMax } from '../../core/broker/broker-clock.ts';
import type { Now } from '../../core/broker/events.ts';
import type { SimClock } from './simulated/sim-clock.ts';

/** Of what passed, with room for two roundings to a millisecond. */
const shareMax = 0.0101;
const roundingMs = 3;

export class ClockLaw {
  readonly #clock: SimClock;
  readonly #violate: (text: string) => void;
  #wallMs = 0;
  #passedMs = 0;
  /** Nothing in a log can be newer. */
  #highestMs = 0;

  constructor(clock: SimClock, violate: (text: string) => void) {
    this.#clock = clock;
    this.#violate = violate;
  }

  /** A start; returns whether it goes on by what passed, for the system's clock is too far from that. */
  begins(kept: KeptClock | null): boolean {
    const { wallMs, passedMs } = this.#clock;
    const reckonedMs = kept === null ? wallMs : kept.wallMs + passedMs - kept.uptimeMs;
    const goesOn = Math.abs(wallMs - reckonedMs) >= takeoverMsMax;
    this.#wallMs = goesOn ? reckonedMs : wallMs;
    this.#passedMs = passedMs;
    return goesOn;
  }

  /** A life begins at this time; the log that it found holds the newest one. */
  started({ wallMs }: Now, newestMs: number): void {
    if (wallMs < newestMs) this.#violate(`a start at ${wallMs}, before ${newestMs} of the log`);
    const [least, most] = [this.#wallMs, Math.max(this.#wallMs, this.#highestMs)];
    const passedMs = this.#clock.passedMs - this.#passedMs;
    const slackMs = passedMs * shareMax + roundingMs;
    if (wallMs < least + passedMs - slackMs || wallMs > most + passedMs + slackMs) {
      this.#violate(`a start at ${wallMs}, ${passedMs} ms after ${least} or at most ${most}`);
    }
    this.#wallMs = wallMs;
    this.#passedMs = this.#clock.passedMs;
    this.#highestMs = Math.max(this.#highestMs, wallMs);
  }

  looked({ wallMs }: Now): void {
    this.#highestMs = Math.max(this.#highestMs, wallMs);
    const passedMs = this.#clock.passedMs - this.#passedMs;
    const movedMs = wallMs - this.#wallMs;
    if (Math.abs(movedMs - passedMs) > passedMs * shareMax + roundingMs) {
      this.#violate(`the wall clock moved by ${movedMs} ms while ${passedMs} ms passed`);
    }
  }
}
