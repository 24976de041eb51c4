/** The broker's wall clock goes by what really passed, whatever the system's shows meanwhile. */

import type { Now } from '../../core/broker/events.ts';
import type { SimClock } from './sim-clock.ts';

/** Of what passed, with room for two roundings to a millisecond. */
const shareMax = 0.0101;
const roundingMs = 3;

export class ClockLaw {
  readonly #clock: SimClock;
  readonly #violate: (text: string) => void;
  #wallMs = 0;
  #passedMs = 0;

  constructor(clock: SimClock, violate: (text: string) => void) {
    this.#clock = clock;
    this.#violate = violate;
  }

  /** A life begins at this time; the log that it found holds the newest one. */
  started({ wallMs }: Now, newestMs: number): void {
    if (wallMs < newestMs) this.#violate(`a start at ${wallMs}, before ${newestMs} of the log`);
    this.#wallMs = wallMs;
    this.#passedMs = this.#clock.passedMs;
  }

  looked({ wallMs }: Now): void {
    const passedMs = this.#clock.passedMs - this.#passedMs;
    const movedMs = wallMs - this.#wallMs;
    if (Math.abs(movedMs - passedMs) > passedMs * shareMax + roundingMs) {
      this.#violate(`the wall clock moved by ${movedMs} ms while ${passedMs} ms passed`);
    }
  }
}
