/**
 * *Apply now, reveal later*: what the core sends waits here until every record appended before it
 * is durable. One rule for every message, reads included. A message that needs bytes from the log
 * keeps its place in line while they are read.
 */

import type { Outgoing } from './events.ts';

/** A place in line; it is let go once it is filled and its offset is durable. */
export interface Place {
  readonly offset: number;
  /** Null while bytes are being read for it. */
  messages: readonly Outgoing[] | null;
}

/** Emptied places are cut off in portions, so that a long line costs no more than a short one. */
const cutAbove = 256;

export class Outbox {
  readonly #send: (messages: Outgoing[]) => void;
  readonly #held: Place[] = [];
  /** How many places at the front were let go already. */
  #gone = 0;
  #durableOffset = 0;

  constructor(send: (messages: Outgoing[]) => void) {
    this.#send = send;
  }

  get length(): number {
    return this.#held.length - this.#gone;
  }

  /** Keeps a message until `offset` is durable. Offsets never decrease. */
  hold(offset: number, outgoing: Outgoing): void {
    this.#held.push({ offset, messages: [outgoing] });
  }

  /** Keeps a place for what is still being read. */
  reserve(offset: number): Place {
    const place: Place = { offset, messages: null };
    this.#held.push(place);
    return place;
  }

  /** Lets go of everything that depends on nothing beyond `durableOffset`, in order, as one batch. */
  release(durableOffset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    const released: Outgoing[] = [];
    for (; this.#gone < this.#held.length; this.#gone++) {
      const place = this.#held[this.#gone];
      if (place === undefined || place.messages === null || place.offset > this.#durableOffset)
        break;
      released.push(...place.messages);
    }
    if (this.#gone === this.#held.length || this.#gone > cutAbove) {
      this.#held.splice(0, this.#gone);
      this.#gone = 0;
    }
    if (released.length > 0) this.#send(released);
  }
}
