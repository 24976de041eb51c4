/**
 * *Apply now, reveal later*: what the core sends waits here until every record appended before it
 * is durable. One rule for every message, reads included. A message that needs bytes from the log
 * keeps its place in the line of its connection while they are read; no other line waits for it. Much
 * that may leave at one time leaves in parts, what is small first.
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

/** What leaves in one go; one place comes on top. */
const partBytesMax = 512 * 1024;
/** What leaves of one connection in a go before others have their turn. */
const smallBytesMax = 16 * 1024;
/** What a message costs besides its bytes. */
const messageBytes = 64;

interface OutboxOptions {
  readonly send: (messages: Outgoing[]) => void;
  /** False while so much is on its way to the connection's thread that more would only wait there. */
  readonly takes: (connection: ConnectionId) => boolean;
}

export class Outbox {
  readonly #options: OutboxOptions;
  /** Lines that hold something, in the order of their turns. */
  readonly #lines: Map<ConnectionId, Place[]> = new Map();
  #durableOffset = 0;
  #number = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
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

  /**
   * Lets go of what depends on nothing beyond `durableOffset`: a part of it, as one batch. Returns
   * whether more could leave at once.
   */
  release(durableOffset: number): boolean {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    const { takes } = this.#options;
    const released: Place[] = [];
    let left = partBytesMax;
    for (const [connection, line] of this.#lines) {
      if (left <= 0) break;
      if (takes(connection)) left -= this.#takeSmall(connection, line, released);
    }
    for (const [connection, line] of this.#lines) {
      if (left <= 0 && released.length > 0) break;
      if (takes(connection)) left -= this.#takeOne(connection, line, released);
    }
    this.#sendAll(released);
    return left <= 0;
  }

  /** Lets go of all that depends on nothing beyond `durableOffset`. */
  releaseAll(durableOffset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    const released: Place[] = [];
    for (const [connection, line] of this.#lines) this.#takeOne(connection, line, released);
    this.#sendAll(released);
  }

  #sendAll(released: Place[]): void {
    if (released.length === 0) return;
    released.sort((one, other) => one.number - other.number);
    this.#options.send(released.flatMap(({ messages }) => messages ?? []));
  }

  /** Takes places that are small together, and returns their bytes. */
  #takeSmall(connection: ConnectionId, line: Place[], released: Place[]): number {
    let bytes = 0;
    for (let place = this.#due(line); place !== undefined; place = this.#due(line)) {
      const more = bytesOf(place);
      if (bytes + more > smallBytesMax) break;
      bytes += more;
      line.shift();
      released.push(place);
    }
    if (line.length === 0) this.#lines.delete(connection);
    return bytes;
  }

  /** Takes the next place, whatever its size; its line is behind the others then. */
  #takeOne(connection: ConnectionId, line: Place[], released: Place[]): number {
    const place = this.#due(line);
    if (place === undefined) return 0;
    line.shift();
    this.#lines.delete(connection);
    if (line.length > 0) this.#lines.set(connection, line);
    released.push(place);
    return bytesOf(place);
  }

  /** The first of the line, when it may leave. */
  #due([first]: readonly Place[]): Place | undefined {
    if (first === undefined || first.messages === null) return undefined;
    return first.offset <= this.#durableOffset ? first : undefined;
  }

  #push(place: Place): void {
    const line = this.#lines.get(place.connection);
    if (line === undefined) this.#lines.set(place.connection, [place]);
    else line.push(place);
  }
}

function bytesOf({ messages }: Place): number {
  return (messages ?? []).reduce((sum, { bytes = 0 }) => sum + messageBytes + bytes, 0);
}
