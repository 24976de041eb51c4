/**
 * *Apply now, reveal later*: what the core sends waits here until every record appended before it
 * is durable. One rule for every message, reads included.
 */

import type { Outgoing } from './events.ts';

interface Held {
  readonly offset: number;
  readonly outgoing: Outgoing;
}

export class Outbox {
  readonly #send: (messages: Outgoing[]) => void;
  #held: Held[] = [];
  #durableOffset = 0;

  constructor(send: (messages: Outgoing[]) => void) {
    this.#send = send;
  }

  get length(): number {
    return this.#held.length;
  }

  /** Keeps a message until `offset` is durable. Offsets never decrease. */
  hold(offset: number, outgoing: Outgoing): void {
    this.#held.push({ offset, outgoing });
  }

  /** Lets go of everything that depends on nothing beyond `durableOffset`, in order, as one batch. */
  release(durableOffset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    let count = 0;
    while (count < this.#held.length && (this.#held[count]?.offset ?? 0) <= this.#durableOffset) {
      count++;
    }
    if (count === 0) return;
    const released = this.#held.slice(0, count).map((held) => held.outgoing);
    this.#held = this.#held.slice(count);
    this.#send(released);
  }
}
