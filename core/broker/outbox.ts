/**
 * *Apply now, reveal later*: what the core sends waits here until every record appended before it
 * is durable. One rule for every message, reads included. A message that needs bytes from the log
 * keeps its place in the line of its connection while they are read; no other line waits for it.
 */

import type { ConnectionId, Outgoing } from './events.ts';

/** A place in line; it is let go once it is filled and its offset is durable. */
export interface Place {
  readonly offset: number;
  readonly connection: ConnectionId;
  /** What was kept earlier leaves earlier, unless it still waits for its bytes. */
  readonly number: number;
  /** Null while bytes are being read for it. */
  messages: readonly Outgoing[] | null;
}

export class Outbox {
  readonly #send: (messages: Outgoing[]) => void;
  /** Lines that hold something. */
  readonly #lines: Map<ConnectionId, Place[]> = new Map();
  #durableOffset = 0;
  #number = 0;

  constructor(send: (messages: Outgoing[]) => void) {
    this.#send = send;
  }

  /** Places that are held. */
  get length(): number {
    return [...this.#lines.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Keeps a message until `offset` is durable. Offsets never decrease. */
  hold(offset: number, outgoing: Outgoing): void {
    this.#push({
      offset,
      connection: outgoing.connection,
      number: this.#number++,
      messages: [outgoing],
    });
  }

  /** Keeps a place for what is still being read. */
  reserve(offset: number, connection: ConnectionId): Place {
    const place: Place = { offset, connection, number: this.#number++, messages: null };
    this.#push(place);
    return place;
  }

  /** Lets go of everything that depends on nothing beyond `durableOffset`, as one batch. */
  release(durableOffset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    const released: Place[] = [];
    for (const [connection, line] of this.#lines) {
      const held = line.findIndex(
        ({ messages, offset }) => messages === null || offset > this.#durableOffset,
      );
      released.push(...line.splice(0, held === -1 ? line.length : held));
      if (line.length === 0) this.#lines.delete(connection);
    }
    if (released.length === 0) return;
    released.sort((one, other) => one.number - other.number);
    this.#send(released.flatMap(({ messages }) => messages ?? []));
  }

  #push(place: Place): void {
    const line = this.#lines.get(place.connection);
    if (line === undefined) this.#lines.set(place.connection, [place]);
    else line.push(place);
  }
}
