/**
 * One connection from its first byte to its close: preamble, Hello, frames in, messages out, and
 * the deadlines on each. Works on any duplex stream. What goes wrong here ends this connection
 * only, with an Error frame that says why.
 */

import type { Duplex } from 'node:stream';
import {
  AiqError,
  decodePreamble,
  encodeFrame,
  encodePreamble,
  errorCodes,
  type Frame,
  FrameSplitter,
  frameHeaderBytes,
  limits,
  type Message,
  type MessageName,
  preambleBytes,
  protocolVersion,
  Writer,
} from '../../protocol/index.ts';
import type { ConnectionId, NetEvent, Transport } from '../events.ts';
import { type Guard, Handshake } from './hello.ts';
import type { NetLimits } from './net-limits.ts';
import { receiveRequest } from './requests.ts';
import { Unanswered } from './unanswered.ts';

/** The states of a connection and those that may follow each. */
const nextStates = {
  /** The peer's preamble is awaited. */
  preamble: ['hello', 'draining', 'closed'],
  /** Its Hello is awaited. */
  hello: ['open', 'draining', 'closed'],
  /** The core knows it; requests and answers flow. */
  open: ['draining', 'closed'],
  /** What is queued still leaves, then the half-close; whatever comes in is dropped. */
  draining: ['closed'],
  closed: [],
} as const;

export type ConnectionState = keyof typeof nextStates;

/** What a connection needs of the thread that it lives in. */
export interface ConnectionHost {
  readonly limits: NetLimits;
  /** True while the core is behind and nothing should be read. */
  readonly congested: boolean;
  /** Monotonic, milliseconds. */
  now(): number;
  onEvent(event: NetEvent, frameBytes: number): void;
  /** `connection.state` has changed from this one. */
  onState(connection: Connection, from: ConnectionState): void;
}

interface ConnectionOptions {
  readonly id: ConnectionId;
  readonly transport: Transport;
  /** What both sides must prove, or null when the peer needs no token. */
  readonly guard: Guard | null;
  readonly host: ConnectionHost;
}

export class Connection {
  readonly id: ConnectionId;
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  readonly #splitter = new FrameSplitter(limits.frameBytesMaxBeforeHello);
  readonly #unanswered: Unanswered;
  readonly #handshake: Handshake;
  #state: ConnectionState = 'preamble';
  /** Since when the peer owes us bytes: its Hello, or the rest of a frame; null when it does not. */
  #owesSinceMs: number | null;
  /** When the peer last took some of what waited for it. */
  #tookAtMs: number;

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.id = options.id;
    this.#socket = socket;
    this.#options = options;
    this.#host = options.host;
    this.#unanswered = new Unanswered(this.#host.limits.unansweredMax);
    this.#handshake = new Handshake(options.guard);
    this.#owesSinceMs = this.#host.now();
    this.#tookAtMs = this.#host.now();
    socket.on('data', (chunk: Uint8Array) => this.#onData(chunk));
    socket.on('drain', () => this.updateReading());
    socket.on('end', () => this.drain());
    // The stream destroys itself and emits 'close' after an error; there is nothing else to do.
    socket.on('error', () => {});
    socket.on('close', () => this.#enter('closed'));
    this.updateReading();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Sends encoded frames; how long they may wait for the peer is `tick`'s business. */
  write(frames: Uint8Array): void {
    const socket = this.#socket;
    if (this.#state === 'draining' || !socket.writable) return;
    if (socket.writableLength === 0) this.#tookAtMs = this.#host.now();
    socket.write(frames, this.#onTaken);
    this.updateReading();
  }

  /** Told of each message of the core before `write` gets it: it may answer what was asked. */
  sent(name: MessageName, correlationId: number): void {
    this.#unanswered.sent(name, correlationId);
  }

  /** Takes nothing more; what was written still leaves, then the half-close. */
  drain(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return;
    this.#enter('draining');
    this.#tookAtMs = this.#host.now();
    this.#socket.end(this.#onTaken);
    this.updateReading();
  }

  /** Sends an Error frame, then drains. */
  refuse(error: AiqError, correlationId = 0): void {
    // A peer that sent no valid preamble gets ours here, so that it can read the frame.
    if (this.#state === 'preamble') this.write(encodePreamble());
    this.#writeError(error, correlationId);
    this.drain();
  }

  /** Ends at once; what was not sent is lost. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Holds the peer to its deadlines; called a few times in each of them. */
  tick(now: number): void {
    if (now - this.#tookAtMs > this.#takeWithinMs()) this.destroy();
    else if (this.#state !== 'draining') this.#refuseLateSender(now);
  }

  /** Time that the peer has to take some of what waits for it, or to close after the half-close. */
  #takeWithinMs(): number {
    const { outboxBytesMax, outboxStallMs, writeStallMs, lingerMs } = this.#host.limits;
    const unsentBytes = this.#socket.writableLength;
    if (unsentBytes === 0) return this.#state === 'draining' ? lingerMs : Number.POSITIVE_INFINITY;
    return unsentBytes > outboxBytesMax ? outboxStallMs : writeStallMs;
  }

  #refuseLateSender(now: number): void {
    if (this.#owesSinceMs === null || this.#socket.isPaused()) return;
    const { handshakeMs, frameMs } = this.#host.limits;
    const owed = this.#state === 'open' ? 'the rest of a frame' : 'preamble and Hello';
    const allowedMs = this.#state === 'open' ? frameMs : handshakeMs;
    if (now - this.#owesSinceMs <= allowedMs) return;
    this.refuse(new AiqError('TOO_SLOW', `${owed} did not arrive within ${allowedMs} ms`));
  }

  /**
   * Reads only while the core keeps up, and the peer takes its answers and waits for not too many.
   * A draining connection reads on and drops: closing over unread bytes would reset it before the
   * peer saw why.
   */
  updateReading(): void {
    const isBehind =
      this.#host.congested || this.#unanswered.isFull || this.#socket.writableNeedDrain;
    const shouldRead = this.#state === 'draining' || !isBehind;
    if (shouldRead !== this.#socket.isPaused()) return;
    if (!shouldRead) {
      this.#socket.pause();
      return;
    }
    // The pause was ours: it must not count against the peer.
    if (this.#owesSinceMs !== null) this.#owesSinceMs = this.#host.now();
    this.#socket.resume();
  }

  readonly #onTaken = (): void => {
    this.#tookAtMs = this.#host.now();
  };

  /** The only place where the state changes. Whoever leaves `open` was open: the core hears it once. */
  #enter(next: ConnectionState): void {
    const from = this.#state;
    const allowed: readonly ConnectionState[] = nextStates[from];
    if (!allowed.includes(next)) throw new Error(`connection ${this.id}: ${from} to ${next}`);
    this.#state = next;
    if (from === 'open') this.#host.onEvent({ type: 'closed', connection: this.id }, 0);
    this.#host.onState(this, from);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state === 'draining') return;
    this.#splitter.push(chunk);
    try {
      if (this.#state === 'preamble') this.#readPreamble();
      if (this.#readFrames() > 0 && this.#state === 'open') this.#owesSinceMs = null;
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      this.refuse(error);
      return;
    }
    if (this.#splitter.bufferedBytes > 0) this.#owesSinceMs ??= this.#host.now();
    this.updateReading();
  }

  #readPreamble(): void {
    const bytes = this.#splitter.takeRaw(preambleBytes);
    if (bytes === null) return;
    const version = decodePreamble(bytes);
    this.write(encodePreamble());
    this.#enter('hello');
    if (version === protocolVersion) return;
    throw new AiqError(
      'VERSION',
      `this broker speaks protocol version ${protocolVersion}, not ${version}`,
    );
  }

  /** Handles the whole frames that are here and returns how many there were. */
  #readFrames(): number {
    let count = 0;
    while (this.#state === 'hello' || this.#state === 'open') {
      const frame = this.#splitter.next();
      if (frame === null) return count;
      count += 1;
      try {
        this.#onFrame(frame);
      } catch (error) {
        if (!(error instanceof AiqError)) throw error;
        this.refuse(error, frame.correlationId);
      }
    }
    return count;
  }

  #onFrame(frame: Frame): void {
    if (frame.correlationId === 0) {
      throw new AiqError(
        'BAD_FRAME',
        'a request has correlation id 0, which marks what nobody asked for',
      );
    }
    if (this.#state === 'hello') {
      this.#greet(frame);
      return;
    }
    const received = receiveRequest(this.id, frame);
    if (received.type === 'event') this.#report(received.event, frame);
    else this.#writeError(received.error, frame.correlationId);
  }

  #greet(frame: Frame): void {
    const step = this.#handshake.receive(frame);
    const { correlationId } = frame;
    if (step.type === 'proof') {
      this.#write('Proof', correlationId, step.proof);
      return;
    }
    this.#enter('open');
    this.#splitter.setFrameBytesMax(limits.frameBytesMax);
    const { id: connection, transport } = this.#options;
    const { hello } = step;
    this.#report({ type: 'opened', connection, transport, correlationId, hello }, frame);
  }

  #report(event: NetEvent, { opcode, correlationId, body }: Frame): void {
    this.#unanswered.asked(opcode, correlationId);
    this.#host.onEvent(event, frameHeaderBytes + body.length);
  }

  #writeError({ code, message }: AiqError, correlationId: number): void {
    this.#write('Error', correlationId, { code: errorCodes[code].number, message });
  }

  #write<N extends MessageName>(name: N, correlationId: number, fields: Message<N>): void {
    const writer = new Writer();
    encodeFrame(writer, name, correlationId, fields);
    this.write(writer.written());
  }
}
