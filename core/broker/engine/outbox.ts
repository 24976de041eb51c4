/**
 * *Apply now, reveal later*: what the core sends waits here until every record appended before it
 * is durable. One rule for every message, reads included. A message that needs bytes from the log
 * keeps its place in the line of its connection while they are read; no other line waits for it. Much
 * that may leave at one time leaves in parts, and the lines take turns.
 */

import type { ConnectionId, Outgoing } from '../events.ts';
import { RoundRobin } from './round-robin.ts';

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
const partBytesMax = 128 * 1024;
/** What leaves of one connection before others have their turn. */
const visitBytes = 64 * 1024;
/** What a message costs besides its bytes, most of it on the way between threads. */
const messageBytes = 512;

/** What is held for one connection, in order. */
interface Line {
  readonly connection: ConnectionId;
  readonly places: Place[];
}

/** The thread that writes what leaves to its connections. */
export interface MessageSink {
  /** False while so much is on its way to it that more would only wait there. */
  readonly takes: boolean;
}

interface OutboxOptions {
  readonly send: (messages: Outgoing[]) => void;
  readonly sinkOf: (connection: ConnectionId) => MessageSink;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #lines: Map<ConnectionId, Line> = new Map();
  /** Lines whose first place may leave, by who carries it. */
  readonly #ready: Map<MessageSink, RoundRobin<Line>> = new Map();
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
    for (const line of this.#lines.values()) this.#addReady(line);
    let hasMore = false;
    for (const [carrier, lines] of this.#ready) {
      if (carrier.takes && this.#releasePart(lines)) hasMore = true;
    }
    return hasMore;
  }

  /** Lets go of all that depends on nothing beyond `durableOffset`. */
  releaseAll(durableOffset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    const released: Place[] = [];
    for (const line of this.#lines.values()) {
      for (let place = this.#due(line); place !== undefined; place = this.#due(line)) {
        line.places.shift();
        released.push(place);
      }
    }
    this.#sendAll(released);
  }

  /** A part of what one carrier gets; true when more could leave. */
  #releasePart(lines: RoundRobin<Line>): boolean {
    const released: Place[] = [];
    let left = partBytesMax;
    while (left > 0) {
      const line = lines.take();
      if (line === undefined) break;
      left -= this.#visit(line, lines, released);
    }
    this.#sendAll(released);
    return left <= 0;
  }

  #sendAll(released: Place[]): void {
    if (released.length === 0) return;
    released.sort((one, other) => one.number - other.number);
    this.#options.send(released.flatMap(({ messages }) => messages ?? []));
  }

  /** Takes of the line what is one visit, at least one place, and returns its bytes. */
  #visit(line: Line, lines: RoundRobin<Line>, released: Place[]): number {
    let bytes = 0;
    for (let place = this.#due(line); place !== undefined; place = this.#due(line)) {
      const more = bytesOf(place);
      if (bytes > 0 && bytes + more > visitBytes) break;
      bytes += more;
      line.places.shift();
      released.push(place);
    }
    lines.use(line, bytes / visitBytes);
    this.#addReady(line);
    return bytes;
  }

  #addReady(line: Line): void {
    if (line.places.length === 0) this.#lines.delete(line.connection);
    else if (this.#due(line) !== undefined) {
      const lines = this.#readyOf(line);
      if (!lines.has(line)) lines.add(line, isSmall(line));
    }
  }

  #readyOf({ connection }: Line): RoundRobin<Line> {
    const carrier = this.#options.sinkOf(connection);
    let lines = this.#ready.get(carrier);
    if (lines === undefined) {
      lines = new RoundRobin();
      this.#ready.set(carrier, lines);
    }
    return lines;
  }

  /** The first of the line, when it may leave. */
  #due({ places: [first] }: Line): Place | undefined {
    if (first === undefined || first.messages === null) return undefined;
    return first.offset <= this.#durableOffset ? first : undefined;
  }

  #push(place: Place): void {
    const { connection } = place;
    const line = this.#lines.get(connection);
    if (line === undefined) this.#lines.set(connection, { connection, places: [place] });
    else line.places.push(place);
  }
}

/** A visit takes all of it. */
function isSmall({ places }: Line): boolean {
  let bytes = 0;
  for (const place of places) {
    bytes += bytesOf(place);
    if (bytes > visitBytes) return false;
  }
  return true;
}

function bytesOf({ messages }: Place): number {
  return (messages ?? []).reduce((sum, { bytes = 0 }) => sum + messageBytes + bytes, 0);
}
