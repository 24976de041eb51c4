/**
 * *Apply now, reveal later*: a message waits here until every record appended before it is durable,
 * one rule for every message, reads included. Messages are queued per connection; one that needs
 * bytes from the log keeps its slot in its queue while they are read, and no other queue waits for
 * it. Large amounts are sent in parts, round robin between the queues.
 */

import type { ConnectionId, Outgoing } from '../events.ts';
import { RoundRobin } from './round-robin.ts';

/** An entry of a queue; it is sent once it has its messages and its offset is durable. */
export interface Slot {
  readonly offset: number;
  readonly connection: ConnectionId;
  /** Order of enqueueing over all connections; within a part messages are sent in this order. */
  readonly number: number;
  /** Null while bytes are being read for it. */
  messages: readonly Outgoing[] | null;
}

/** Bytes sent to one sink at a time; one slot comes on top. */
const partBytesMax = 128 * 1024;
/** Bytes sent for one connection before others have their turn. */
const visitBytes = 64 * 1024;
/** Cost of a message besides its bytes, most of it for passing it between threads. */
const messageBytes = 512;

/** Messages of one connection, in order. */
interface ConnectionQueue {
  readonly connection: ConnectionId;
  readonly slots: Slot[];
}

/** Where messages of a connection are sent: the I/O thread that writes them. */
export interface MessageSink {
  /** False while so much is on its way to it that more would only wait there: back pressure. */
  readonly isOpen: boolean;
}

interface OutboxOptions {
  readonly send: (messages: Outgoing[]) => void;
  readonly sinkOf: (connection: ConnectionId) => MessageSink;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #queues: Map<ConnectionId, ConnectionQueue> = new Map();
  /** Queues whose first slot may be sent, by sink. */
  readonly #ready: Map<MessageSink, RoundRobin<ConnectionQueue>> = new Map();
  #durableOffset = 0;
  #number = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Keeps a message until `offset` is durable. Offsets never decrease. */
  enqueue(offset: number, outgoing: Outgoing): void {
    this.#push({
      offset,
      connection: outgoing.connection,
      number: this.#number++,
      messages: [outgoing],
    });
  }

  /** Reserves a slot for messages whose records are still being read. */
  reserve(offset: number, connection: ConnectionId): Slot {
    const slot: Slot = { offset, connection, number: this.#number++, messages: null };
    this.#push(slot);
    return slot;
  }

  /**
   * Sends messages that depend on nothing beyond `durableOffset`: one part for each sink. Returns
   * whether more could be sent at once.
   */
  sendDurable(durableOffset: number): boolean {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    for (const queue of this.#queues.values()) this.#addReady(queue);
    let hasMore = false;
    for (const [sink, queues] of this.#ready) {
      if (sink.isOpen && this.#sendPart(queues)) hasMore = true;
    }
    return hasMore;
  }

  /** Sends all messages that depend on nothing beyond `durableOffset`. */
  sendAllDurable(durableOffset: number): void {
    this.#durableOffset = Math.max(this.#durableOffset, durableOffset);
    const batch: Slot[] = [];
    for (const queue of this.#queues.values()) {
      for (let slot = this.#due(queue); slot !== undefined; slot = this.#due(queue)) {
        queue.slots.shift();
        batch.push(slot);
      }
    }
    this.#sendAll(batch);
  }

  /** Sends one part of the messages of one sink; true when more could be sent. */
  #sendPart(queues: RoundRobin<ConnectionQueue>): boolean {
    const batch: Slot[] = [];
    let left = partBytesMax;
    while (left > 0) {
      const queue = queues.take();
      if (queue === undefined) break;
      left -= this.#visit(queue, queues, batch);
    }
    this.#sendAll(batch);
    return left <= 0;
  }

  #sendAll(batch: Slot[]): void {
    if (batch.length === 0) return;
    batch.sort((one, other) => one.number - other.number);
    this.#options.send(batch.flatMap(({ messages }) => messages ?? []));
  }

  /** Moves one visit's slots of the queue, at least one, to `batch`; returns their bytes. */
  #visit(queue: ConnectionQueue, queues: RoundRobin<ConnectionQueue>, batch: Slot[]): number {
    let bytes = 0;
    for (let slot = this.#due(queue); slot !== undefined; slot = this.#due(queue)) {
      const more = bytesOf(slot);
      if (bytes > 0 && bytes + more > visitBytes) break;
      bytes += more;
      queue.slots.shift();
      batch.push(slot);
    }
    queues.use(queue, bytes / visitBytes);
    this.#addReady(queue);
    return bytes;
  }

  #addReady(queue: ConnectionQueue): void {
    if (queue.slots.length === 0) this.#queues.delete(queue.connection);
    else if (this.#due(queue) !== undefined) {
      const queues = this.#readyOf(queue);
      if (!queues.has(queue)) queues.add(queue, isSmall(queue));
    }
  }

  #readyOf({ connection }: ConnectionQueue): RoundRobin<ConnectionQueue> {
    const sink = this.#options.sinkOf(connection);
    let queues = this.#ready.get(sink);
    if (queues === undefined) {
      queues = new RoundRobin();
      this.#ready.set(sink, queues);
    }
    return queues;
  }

  /** The first slot of the queue when it may be sent. */
  #due({ slots: [first] }: ConnectionQueue): Slot | undefined {
    if (first === undefined || first.messages === null) return undefined;
    return first.offset <= this.#durableOffset ? first : undefined;
  }

  #push(slot: Slot): void {
    const { connection } = slot;
    const queue = this.#queues.get(connection);
    if (queue === undefined) this.#queues.set(connection, { connection, slots: [slot] });
    else queue.slots.push(slot);
  }
}

/** Whether one visit sends all of the queue. */
function isSmall({ slots }: ConnectionQueue): boolean {
  let bytes = 0;
  for (const slot of slots) {
    bytes += bytesOf(slot);
    if (bytes > visitBytes) return false;
  }
  return true;
}

function bytesOf({ messages }: Slot): number {
  return (messages ?? []).reduce((sum, { bytes = 0 }) => sum + messageBytes + bytes, 0);
}
