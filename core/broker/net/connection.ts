/**
 * One connection on any duplex stream, from its first byte to its close, with a deadline for each
 * step. An error ends only this connection, with an Error frame.
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
import { assertCorrelationId, receiveRequest } from './requests.ts';
import { noCounts, SendBuffer, type SentCounts } from './send-buffer.ts';

/** Sent bytes that are reported to the state machine at once; fewer are reported at the next tick. */
const reportBytes = 32 * 1024;

export class Connection {
  readonly id: ConnectionId;
  readonly transport: Transport;
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  readonly #splitter = new FrameSplitter(limits.frameBytesMaxBeforeHello);
  readonly #inFlight: InFlightRequests;
  readonly #handshake: Handshake;
  #state: ConnectionState = 'preamble';
  /** The name in its Hello; null before it was accepted. */
  #client: string | null = null;
  readonly #sendBuffer: SendBuffer;
  /** Bytes of the receive budget that this connection holds. */
  #heldBytes = 0;
  /**
   * Since when bytes of the peer are awaited: its Hello, or the rest of a frame; null when none are.
   * Received bytes of a frame move it on by the time that a slow line takes for them.
   */
  #awaitingInputSinceMs: number | null;
  #isReading = false;

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.id = options.id;
    this.transport = options.transport;
    this.#socket = socket;
    this.#options = options;
    this.#host = options.host;
    this.#inFlight = new InFlightRequests(this.#host.limits.inFlightMax);
    this.#handshake = new Handshake(options.guard);
    this.#sendBuffer = new SendBuffer(socket, {
      now: () => this.#host.now(),
      onDrained: () => {
        this.#report(reportBytes);
        this.updateReading();
      },
    });
    this.#awaitingInputSinceMs = this.#host.now();
    socket.on('data', (chunk: Uint8Array) => this.#onData(chunk));
    socket.on('end', () => this.drain());
    // After an error the stream destroys itself and emits 'close'.
    socket.on('error', () => {});
    socket.on('close', () => this.#enter('closed'));
    this.updateReading();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Bytes that the peer has not read. */
  get unsentBytes(): number {
    return this.#sendBuffer.unsentBytes;
  }

  /** True while it holds only a partial frame. */
  get holdsPartOnly(): boolean {
    return this.#state === 'open' && this.#heldBytes > 0 && this.#inFlight.bytes === 0;
  }

  /** Sends encoded frames; `tick` ends the connection when the peer does not read them. */
  write(frames: Uint8Array, counts: SentCounts = noCounts): void {
    if (this.#state !== 'draining') this.#sendBuffer.push(frames, counts);
  }

  /** Records a message that `write` is about to send, which may be the response to a request. */
  sending(name: MessageName, correlationId: number): void {
    this.#inFlight.completed(name, correlationId);
  }

  /** Accepts no more input; written frames are still sent, then the half-close. */
  drain(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return;
    this.#enter('draining');
    this.#sendBuffer.end();
    this.updateReading();
  }

  /** Sends an Error frame, then drains. */
  refuse(error: AiqError, correlationId = 0): void {
    // A peer without valid preamble gets ours, so that it can read the frame.
    if (this.#state === 'preamble') this.write(encodePreamble());
    noticeEnd(this.#options, this.#client, `${error.code}: ${error.message}`);
    this.#writeError(error, correlationId);
    this.drain();
  }

  /** Closes at once; unsent frames are lost. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Enforces the peer's deadlines; called a few times within each of them. */
  tick(now: number): void {
    if (now - this.#sendBuffer.lastDrainAtMs > this.#takeWithinMs()) {
      noticeStall(this.#options, this.#client, this.unsentBytes);
      this.destroy();
    } else if (this.#state !== 'draining') this.#refuseLateSender(now);
    this.#report(1);
    this.updateReading();
  }

  /** Time that the peer has to read some of what waits for it, or to close after the half-close. */
  #takeWithinMs(): number {
    const { unixStallMs, tcpStallMs, lingerMs } = this.#host.limits;
    if (this.unsentBytes > 0) return this.transport === 'unix' ? unixStallMs : tcpStallMs;
    return this.#state === 'draining' ? lingerMs : Number.POSITIVE_INFINITY;
  }

  #refuseLateSender(now: number): void {
    if (this.#awaitingInputSinceMs === null || this.#socket.isPaused()) return;
    const { handshakeMs, frameMs } = this.#host.limits;
    const awaited = this.#state === 'open' ? 'the rest of a frame' : 'preamble and Hello';
    const allowedMs = this.#state === 'open' ? frameMs : handshakeMs;
    if (now - this.#awaitingInputSinceMs <= allowedMs) return;
    this.refuse(new AiqError('TOO_SLOW', `${awaited} did not arrive in time`));
  }

  /**
   * Reads only while the peer reads its responses, has not too many requests in flight, and holds no
   * more than its share of the receive budget. A draining connection reads on: closing with unread
   * bytes would reset it before the peer sees the reason.
   */
  updateReading(): void {
    this.#readFrames();
    this.#count();
    const isAboveShare = this.#heldBytes > this.#host.receiveBudget.shareBytes;
    const isStarved = isAboveShare && !(this.holdsPartOnly && this.#host.mayExceedShare(this));
    if (isStarved) this.#host.starved.add(this);
    else this.#host.starved.delete(this);
    const mustWait = isStarved || this.#hasBacklog || this.#host.readScheduler.has(this);
    const shouldRead = this.#state === 'draining' || !mustWait;
    if (shouldRead !== this.#socket.isPaused()) return;
    // A pause of ours must not count against the peer.
    if (shouldRead && this.#awaitingInputSinceMs !== null)
      this.#awaitingInputSinceMs = this.#host.now();
    this.#socket[shouldRead ? 'resume' : 'pause']();
  }

  /** The peer has many requests in flight, or does not read its responses. */
  get #hasBacklog(): boolean {
    return this.#inFlight.isFull || this.#sendBuffer.unsentBytes > this.#host.limits.unsentBytesMax;
  }

  /** Reports sent bytes to the state machine when they are at least `bytesMin`. */
  #report(bytesMin: number): void {
    const left = this.#state === 'open' ? this.#sendBuffer.takeDrained(bytesMin) : null;
    if (left !== null) this.#host.onEvent({ type: 'left', connection: this.id, ...left }, 0);
  }

  /** Updates the receive budget. */
  #count(): void {
    const isEnded = this.#state === 'draining' || this.#state === 'closed';
    const held = isEnded ? 0 : this.#splitter.bufferedBytes + this.#inFlight.bytes;
    this.#host.receiveBudget.add(held - this.#heldBytes);
    this.#heldBytes = held;
  }

  /** The only place where the state changes. Leaving `open` is reported to the state machine, once. */
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
    if (this.#state === 'open' && this.#awaitingInputSinceMs !== null) {
      const ms = (chunk.length / this.#host.limits.frameBytesPerSecond) * 1000;
      this.#awaitingInputSinceMs = Math.min(this.#host.now(), this.#awaitingInputSinceMs + ms);
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

  /** Handles the received frames, a part in a turn, while the peer has not too many requests in flight. */
  #readFrames(): void {
    // Handling a frame may re-enter.
    if (this.#isReading || this.#host.readScheduler.has(this)) return;
    this.#isReading = true;
    try {
      if (this.#state === 'preamble') this.#readPreamble();
      while ((this.#state === 'hello' || this.#state === 'open') && !this.#hasBacklog) {
        const frame = this.#host.readScheduler.next(this, this.#splitter);
        if (frame === null) break;
        if (this.#state === 'open') this.#awaitingInputSinceMs = null;
        this.#tryFrame(frame);
      }
      if (this.#splitter.bufferedBytes > 0) this.#awaitingInputSinceMs ??= this.#host.now();
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
    assertCorrelationId(frame);
    if (this.#state === 'hello') {
      this.#onHandshakeFrame(frame);
      return;
    }
    const received = receiveRequest(this.id, frame);
    if (received.type === 'event') this.#pass(received.event, frame);
    else this.#writeError(received.error, frame.correlationId);
  }

  #onHandshakeFrame(frame: Frame): void {
    const step = this.#handshake.receive(frame);
    const { correlationId } = frame;
    if (step.type === 'proof') {
      this.#write('Proof', correlationId, step.proof);
      return;
    }
    this.#enter('open');
    this.#awaitingInputSinceMs = null;
    this.#splitter.setFrameBytesMax(limits.frameBytesMax);
    const { id: connection, transport } = this;
    this.#client = step.hello.client;
    const opened = { type: 'opened', connection, transport, correlationId } as const;
    this.#pass({ ...opened, hello: step.hello }, frame);
  }

  #pass(event: NetEvent, { correlationId, body }: Frame): void {
    const bytes = frameHeaderBytes + body.length;
    this.#inFlight.started(correlationId, bytes);
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
