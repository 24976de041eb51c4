/**
 * One connection on any duplex stream, from its first byte to its close, with a deadline for each
 * step. What goes wrong here ends this connection only, with an Error frame that says why.
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
  Writer,
} from '../../protocol/index.ts';
import type { ConnectionId, NetEvent, Transport } from '../events.ts';
import {
  type ConnectionHost,
  type ConnectionOptions,
  type ConnectionState,
  nextStates,
  noticeEnd,
  noticeStall,
} from './connection-host.ts';
import { assertOurVersion, Handshake } from './hello.ts';
import { InFlightRequests } from './in-flight.ts';
import { assertAsked, receiveRequest } from './requests.ts';
import { type Cargo, noCargo, SendBuffer } from './send-buffer.ts';

/** The core hears at once of so much that was taken, and of less now and then. */
const reportBytes = 32 * 1024;

export class Connection {
  readonly id: ConnectionId;
  readonly transport: Transport;
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  readonly #splitter = new FrameSplitter(limits.frameBytesMaxBeforeHello);
  readonly #unanswered: InFlightRequests;
  readonly #handshake: Handshake;
  #state: ConnectionState = 'preamble';
  /** The name in its Hello; null before it was accepted. */
  #client: string | null = null;
  readonly #outflow: SendBuffer;
  /** Bytes that are counted in the intake for this connection. */
  #heldBytes = 0;
  /**
   * Since when the peer owes us bytes: its Hello, or the rest of a frame; null when it does not.
   * What comes of a frame moves it on by the time that a slow line takes for it.
   */
  #owesSinceMs: number | null;
  #isReading = false;

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.id = options.id;
    this.transport = options.transport;
    this.#socket = socket;
    this.#options = options;
    this.#host = options.host;
    this.#unanswered = new InFlightRequests(this.#host.limits.unansweredMax);
    this.#handshake = new Handshake(options.guard);
    this.#outflow = new SendBuffer(socket, {
      now: () => this.#host.now(),
      onTaken: () => {
        this.#report(reportBytes);
        this.updateReading();
      },
    });
    this.#owesSinceMs = this.#host.now();
    socket.on('data', (chunk: Uint8Array) => this.#onData(chunk));
    socket.on('end', () => this.drain());
    // The stream destroys itself and emits 'close' after an error; there is nothing else to do.
    socket.on('error', () => {});
    socket.on('close', () => this.#enter('closed'));
    this.updateReading();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Bytes that its peer has not taken. */
  get unsentBytes(): number {
    return this.#outflow.unsentBytes;
  }

  /** True while all that it holds is the part of a frame. */
  get holdsPartOnly(): boolean {
    return this.#state === 'open' && this.#heldBytes > 0 && this.#unanswered.bytes === 0;
  }

  /** Sends encoded frames; how long they may wait for the peer is `tick`'s business. */
  write(frames: Uint8Array, cargo: Cargo = noCargo): void {
    if (this.#state !== 'draining') this.#outflow.push(frames, cargo);
  }

  /** Told of each message of the core before `write` gets it: it may answer what was asked. */
  sent(name: MessageName, correlationId: number): void {
    this.#unanswered.sent(name, correlationId);
  }

  /** Takes nothing more; what was written still leaves, then the half-close. */
  drain(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return;
    this.#enter('draining');
    this.#outflow.end();
    this.updateReading();
  }

  /** Sends an Error frame, then drains. */
  refuse(error: AiqError, correlationId = 0): void {
    // A peer that sent no valid preamble gets ours here, so that it can read the frame.
    if (this.#state === 'preamble') this.write(encodePreamble());
    noticeEnd(this.#options, this.#client, `${error.code}: ${error.message}`);
    this.#writeError(error, correlationId);
    this.drain();
  }

  /** Ends at once; what was not sent is lost. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Holds the peer to its deadlines; called a few times in each of them. */
  tick(now: number): void {
    if (now - this.#outflow.tookAtMs > this.#takeWithinMs()) {
      noticeStall(this.#options, this.#client, this.unsentBytes);
      this.destroy();
    } else if (this.#state !== 'draining') this.#refuseLateSender(now);
    this.#report(1);
    this.updateReading();
  }

  /** Time that the peer has to take some of what waits for it, or to close after the half-close. */
  #takeWithinMs(): number {
    const { unixStallMs, tcpStallMs, lingerMs } = this.#host.limits;
    if (this.unsentBytes > 0) return this.transport === 'unix' ? unixStallMs : tcpStallMs;
    return this.#state === 'draining' ? lingerMs : Number.POSITIVE_INFINITY;
  }

  #refuseLateSender(now: number): void {
    if (this.#owesSinceMs === null || this.#socket.isPaused()) return;
    const { handshakeMs, frameMs } = this.#host.limits;
    const owed = this.#state === 'open' ? 'the rest of a frame' : 'preamble and Hello';
    const allowedMs = this.#state === 'open' ? frameMs : handshakeMs;
    if (now - this.#owesSinceMs <= allowedMs) return;
    this.refuse(new AiqError('TOO_SLOW', `${owed} did not arrive in time`));
  }

  /**
   * Reads only while the peer reads its answers, waits for not too many, and holds no more than its share
   * of the intake. A draining one reads on: closing over unread bytes would reset it before it saw why.
   */
  updateReading(): void {
    this.#readFrames();
    this.#count();
    const isOver = this.#heldBytes > this.#host.intake.shareBytes;
    const isStarved = isOver && !(this.holdsPartOnly && this.#host.mayExceedShare(this));
    if (isStarved) this.#host.starved.add(this);
    else this.#host.starved.delete(this);
    const mustWait = isStarved || this.#isOwedMuch || this.#host.later.has(this);
    const shouldRead = this.#state === 'draining' || !mustWait;
    if (shouldRead !== this.#socket.isPaused()) return;
    // The pause was ours: it must not count against the peer.
    if (shouldRead && this.#owesSinceMs !== null) this.#owesSinceMs = this.#host.now();
    this.#socket[shouldRead ? 'resume' : 'pause']();
  }

  /** The peer waits for many answers, or does not read those that it got. */
  get #isOwedMuch(): boolean {
    return this.#unanswered.isFull || this.#outflow.unsentBytes > this.#host.limits.unsentBytesMax;
  }

  /** The core hears what was taken when it is that much. */
  #report(bytesMin: number): void {
    const left = this.#state === 'open' ? this.#outflow.takeTaken(bytesMin) : null;
    if (left !== null) this.#host.onEvent({ type: 'left', connection: this.id, ...left }, 0);
  }

  /** Tells the intake what is held now. */
  #count(): void {
    const isOver = this.#state === 'draining' || this.#state === 'closed';
    const held = isOver ? 0 : this.#splitter.bufferedBytes + this.#unanswered.bytes;
    this.#host.intake.add(held - this.#heldBytes);
    this.#heldBytes = held;
  }

  /** The only place where the state changes. Whoever leaves `open` was open: the core hears it once. */
  #enter(next: ConnectionState): void {
    const from = this.#state;
    const allowed: readonly ConnectionState[] = nextStates[from];
    if (!allowed.includes(next)) throw new Error(`connection ${this.id}: ${from} to ${next}`);
    this.#state = next;
    this.#count();
    if (from === 'open') this.#host.onEvent({ type: 'closed', connection: this.id }, 0);
    this.#host.onState(this, from);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state === 'draining') return;
    this.#splitter.push(chunk);
    if (this.#state === 'open' && this.#owesSinceMs !== null) {
      const ms = (chunk.length / this.#host.limits.frameBytesPerSecond) * 1000;
      this.#owesSinceMs = Math.min(this.#host.now(), this.#owesSinceMs + ms);
    }
    this.updateReading();
  }

  #readPreamble(): void {
    const bytes = this.#splitter.takeRaw(preambleBytes);
    if (bytes === null) return;
    const version = decodePreamble(bytes);
    this.write(encodePreamble());
    this.#enter('hello');
    assertOurVersion(version);
  }

  /** Handles the whole frames that are here, some in a turn, as long as the peer waits for not too many answers. */
  #readFrames(): void {
    // What a frame leads to may bring us here again.
    if (this.#isReading || this.#host.later.has(this)) return;
    this.#isReading = true;
    try {
      if (this.#state === 'preamble') this.#readPreamble();
      while ((this.#state === 'hello' || this.#state === 'open') && !this.#isOwedMuch) {
        const frame = this.#host.later.next(this, this.#splitter);
        if (frame === null) break;
        if (this.#state === 'open') this.#owesSinceMs = null;
        this.#tryFrame(frame);
      }
      if (this.#splitter.bufferedBytes > 0) this.#owesSinceMs ??= this.#host.now();
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      this.refuse(error);
    } finally {
      this.#isReading = false;
    }
  }

  #tryFrame(frame: Frame): void {
    try {
      this.#onFrame(frame);
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      this.refuse(error, frame.correlationId);
    }
  }

  #onFrame(frame: Frame): void {
    assertAsked(frame);
    if (this.#state === 'hello') {
      this.#greet(frame);
      return;
    }
    const received = receiveRequest(this.id, frame);
    if (received.type === 'event') this.#pass(received.event, frame);
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
    this.#owesSinceMs = null;
    this.#splitter.setFrameBytesMax(limits.frameBytesMax);
    const { id: connection, transport } = this;
    this.#client = step.hello.client;
    const opened = { type: 'opened', connection, transport, correlationId } as const;
    this.#pass({ ...opened, hello: step.hello }, frame);
  }

  #pass(event: NetEvent, { correlationId, body }: Frame): void {
    const bytes = frameHeaderBytes + body.length;
    this.#unanswered.asked(correlationId, bytes);
    this.#host.onEvent(event, bytes);
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
