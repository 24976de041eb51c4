/**
 * The network between clients and the broker: two lines of messages for each connection, delivered
 * when the simulation says so. A connection can be cut (each side notices by itself, what was under
 * way is lost), go silent for a while, or carry few bytes a second.
 */

import type { Left, NetEvent, Outgoing } from '../../../core/broker/events.ts';
import {
  type AnyMessage,
  decodeFrame,
  encodeFrame,
  type Frame,
  FrameSplitter,
  limits,
  Writer,
} from '../../../core/protocol/index.ts';
import type { Dice } from '../dice.ts';
import type { Reached } from '../reach.ts';
import type { SimClock } from './sim-clock.ts';

/** What a client hears from its connection. */
export interface Peer {
  onMessage(message: Outgoing): void;
  onClosed(): void;
}

/** One direction of a connection. */
interface Line {
  /** What it carries now, and when the last byte of that is over. */
  carries: Outgoing | NetEvent | null;
  carriedAtMs: number;
}

export interface Wire {
  readonly id: number;
  readonly peer: Peer;
  readonly toBroker: NetEvent[];
  readonly toClient: Outgoing[];
  /** The broker knows of it: `opened` was handed over, `closed` was not. */
  brokerSide: 'unborn' | 'open' | 'closed';
  /** The client can still write, and hears. */
  clientSide: 'open' | 'closed';
  /** Nothing passes until then, monotonic clock. */
  stalledUntilMs: number;
  /** How fast it is in either direction. */
  bytesPerMs: number;
  readonly fromBroker: Line;
  readonly fromClient: Line;
}

/** What peers are promised to be served with, and somewhat more. */
const slowRates = [8, 32];

interface SimNetOptions {
  readonly dice: Dice;
  readonly clock: SimClock;
  /** Of the connections, how many are slow. */
  readonly slowShare: number;
  readonly reach: (name: Reached) => void;
}

export class SimNet {
  readonly #options: SimNetOptions;
  readonly wires = new Map<number, Wire>();
  /** Told when a client took a message, as the threads of a broker tell its core. */
  onLeft: (left: Left) => void = () => undefined;
  #nextId = 1;
  #mayBeSlow = true;

  constructor(options: SimNetOptions) {
    this.#options = options;
  }

  /** All lines are fast from here on. */
  hurry(): void {
    this.#mayBeSlow = false;
    for (const wire of this.wires.values()) {
      wire.stalledUntilMs = 0;
      wire.bytesPerMs = Number.POSITIVE_INFINITY;
    }
  }

  /** A line of the peers; one of the tests themselves is never slow. */
  open(peer: Peer, mayBeSlow = true): Wire {
    const { dice, slowShare } = this.#options;
    const isSlow = mayBeSlow && this.#mayBeSlow && dice.chance(slowShare);
    const wire: Wire = {
      id: this.#nextId++,
      peer,
      toBroker: [],
      toClient: [],
      brokerSide: 'unborn',
      clientSide: 'open',
      stalledUntilMs: 0,
      bytesPerMs: isSlow ? dice.pick(slowRates) : Number.POSITIVE_INFINITY,
      fromBroker: { carries: null, carriedAtMs: 0 },
      fromClient: { carries: null, carriedAtMs: 0 },
    };
    this.wires.set(wire.id, wire);
    return wire;
  }

  /** The client ends the connection, or dies: the broker notices once it read what arrived. */
  closeByClient(wire: Wire): void {
    if (wire.clientSide === 'closed') return;
    wire.clientSide = 'closed';
    wire.toClient.length = 0;
    this.#tellBroker(wire);
  }

  /** The line breaks: of what was under way in each direction only a first part arrives. */
  cut(wire: Wire): void {
    if (wire.clientSide === 'closed') return;
    wire.toBroker.length = this.#options.dice.below(wire.toBroker.length + 1);
    wire.toClient.length = this.#options.dice.below(wire.toClient.length + 1);
    this.#endForClient(wire);
    this.#tellBroker(wire);
  }

  /** The broker is gone: clients still read what it had sent, and notice. */
  brokerGone(): void {
    for (const wire of this.wires.values()) {
      wire.toBroker.length = 0;
      wire.brokerSide = 'closed';
      if (wire.clientSide === 'open') {
        wire.toClient.length = this.#options.dice.below(wire.toClient.length + 1);
        this.#endForClient(wire);
      } else this.wires.delete(wire.id);
    }
  }

  /** The broker closes the connection behind its last message. */
  closedByBroker(id: number): void {
    const wire = this.wires.get(id);
    if (wire === undefined) return;
    wire.brokerSide = 'closed';
    wire.toBroker.length = 0;
    if (wire.clientSide === 'closed') this.wires.delete(id);
  }

  send(outgoing: Outgoing): void {
    const wire = this.wires.get(outgoing.connection);
    if (wire === undefined || wire.brokerSide !== 'open') return;
    if (wire.clientSide === 'open') wire.toClient.push(outgoing);
    if (outgoing.thenClose === true) this.closedByBroker(wire.id);
  }

  /** Hands the next message over to the client; false when there is none. */
  deliverToClient(wire: Wire): boolean {
    const [message] = wire.toClient;
    if (message !== undefined) {
      if (!this.#isOver(wire, wire.fromBroker, message)) return false;
      wire.toClient.shift();
      if (Number.isFinite(wire.bytesPerMs) && message.name === 'Deliver') {
        this.#options.reach('job delivered over a slow line');
      }
      this.#tellLeft(message);
      wire.peer.onMessage(message);
      return true;
    }
    if (wire.clientSide === 'open' && wire.brokerSide === 'closed') {
      this.#endForClient(wire);
      return true;
    }
    return false;
  }

  /** Takes the next event for the broker; undefined when there is none. */
  takeForBroker(wire: Wire): NetEvent | undefined {
    const [event] = wire.toBroker;
    if (event === undefined || !this.#isOver(wire, wire.fromClient, event)) return undefined;
    wire.toBroker.shift();
    if (event.type === 'opened') wire.brokerSide = 'open';
    if (event.type === 'closed') {
      wire.brokerSide = 'closed';
      this.wires.delete(wire.id);
    }
    return event;
  }

  /** Whether the line has carried the message, which it begins with when it is asked first. */
  #isOver({ bytesPerMs }: Wire, line: Line, message: Outgoing | NetEvent): boolean {
    if (bytesPerMs === Number.POSITIVE_INFINITY) return true;
    const { monotonicMs } = this.#options.clock;
    if (line.carries !== message) {
      line.carries = message;
      line.carriedAtMs = monotonicMs + bytesOf(message) / bytesPerMs;
    }
    return line.carriedAtMs <= monotonicMs;
  }

  #tellLeft({ connection, name, bytes = 0 }: Outgoing): void {
    const deliveries = name === 'Deliver' ? 1 : 0;
    this.onLeft({ type: 'left', connection, bytes, deliveries, slowestMs: 0 });
  }

  #endForClient(wire: Wire): void {
    const left = wire.toClient.splice(0);
    for (const message of left) wire.peer.onMessage(message);
    wire.clientSide = 'closed';
    wire.peer.onClosed();
    if (wire.brokerSide === 'closed') this.wires.delete(wire.id);
  }

  #tellBroker(wire: Wire): void {
    const isKnown = wire.brokerSide === 'open' || wire.toBroker[0]?.type === 'opened';
    if (isKnown) wire.toBroker.push({ type: 'closed', connection: wire.id });
    else this.wires.delete(wire.id);
  }
}

/** About how long the message is on the wire. */
function bytesOf(message: Outgoing | NetEvent): number {
  if ('fields' in message) return frameOf(message as unknown as AnyMessage).body.length;
  if (message.type === 'enqueue') {
    return message.jobs.reduce((sum, job) => sum + (job.ok ? job.bytes.length : 0), 32);
  }
  if (message.type === 'request' && message.request.name === 'BlobPut') {
    return message.request.fields.chunk.length;
  }
  return 64;
}

/** The message's frame, as it comes out of a byte stream. */
export function frameOf({ name, correlationId, fields }: AnyMessage): Frame {
  const writer = new Writer(256);
  encodeFrame(writer, name, correlationId, fields);
  const splitter = new FrameSplitter(limits.frameBytesMax);
  splitter.push(writer.written());
  const frame = splitter.next();
  if (frame === null) throw new Error('a frame is not whole');
  return frame;
}

/** The same message after a journey through its bytes: what the codec changes would show. */
export function throughBytes(message: Outgoing): Outgoing {
  const { fields } = decodeFrame(frameOf(message as unknown as AnyMessage));
  return { ...message, fields };
}
