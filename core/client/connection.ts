/**
 * One connection to a broker: preamble, proof of the token over TCP, Hello, frames in and out, and
 * noticing a dead peer. It knows nothing of requests or sessions; once closed it stays closed.
 */

import type net from 'node:net';
import {
  AiqError,
  type AnyMessage,
  decodeFrame,
  decodePreamble,
  encodeFrame,
  encodePreamble,
  errorCodeOf,
  FrameSplitter,
  limits,
  type Message,
  type MessageName,
  preambleBytes,
  protocolVersion,
  Writer,
} from '../protocol/index.ts';
import { addressOf, connectSocket, type Endpoint } from './endpoint.ts';
import { TokenProof } from './proof.ts';
import { ReadDeadline } from './read-deadline.ts';

/** Correlation ids below `firstRequestId` are the connection's own; 0 marks what was not requested. */
const handshakeId = 1;
const pingId = 2;
export const firstRequestId = 3;

/** Pings to a silent peer before it counts as dead. */
const pingsMax = 2;

/** How long so many bytes may take on the slowest line that is served. */
export function lineMs(bytes: number): number {
  return (bytes / limits.lineBytesPerSecond) * 1000;
}

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly session: string;
  readonly clientName: string;
  /**
   * A peer that sends nothing for this long is pinged; after two pings in vain it is dead, unless
   * what was sent before may still be on its way.
   */
  readonly pingMs: number;
  /** Bytes of what was sent and not answered. */
  readonly inFlightBytes: () => number;
  /** Every message after HelloOk, except answers to pings. Never called after `onClosed`. */
  readonly onMessage: (message: AnyMessage) => void;
  /** Called once, and only after the connection was open. */
  readonly onClosed: (reason: AiqError) => void;
}

/**
 * Connects and says Hello; over TCP only after the peer proved that it has the token.
 * @throws AiqError `UNREACHABLE` when no peer answers in time, `BAD_MAGIC` or `VERSION` when the
 *   peer is no broker of this protocol, `UNAUTHORIZED` when it does not have the token, or the code
 *   that the broker refused with
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const socket = await connectSocket(options.endpoint, limits.handshakeMs);
  return new Connection(socket, options).handshake();
}

export class Connection {
  readonly address: string;
  readonly #socket: net.Socket;
  readonly #options: ConnectionOptions;
  readonly #splitter = new FrameSplitter(limits.frameBytesMax);
  readonly #opened = Promise.withResolvers<Connection>();
  readonly #proof: TokenProof | null;
  #state: 'preamble' | 'proving' | 'hello' | 'open' | 'closed' = 'preamble';
  /** The broker that proved itself; null where no proof is needed. */
  #provenBroker: string | null = null;
  #helloOk: Message<'HelloOk'> | null = null;
  #closedBy: AiqError | null = null;
  #corked = false;
  #heard = true;
  #silences = 0;
  #readDeadline: ReadDeadline | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: net.Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    const { endpoint } = options;
    this.#proof = 'unix' in endpoint ? null : new TokenProof(endpoint.token);
    this.address = addressOf(endpoint);
  }

  /** What the broker said of itself. */
  get hello(): Message<'HelloOk'> {
    if (this.#helloOk === null) throw new Error('the connection is not open yet');
    return this.#helloOk;
  }

  /** @throws AiqError why it was closed */
  throwIfClosed(): void {
    if (this.#closedBy !== null) throw this.#closedBy;
  }

  handshake(): Promise<Connection> {
    // A plain view: `slice` of a Buffer does not copy, and what reads frames should not have to know.
    this.#socket.on('data', ({ buffer, byteOffset, length }: Buffer) =>
      this.#receive(new Uint8Array(buffer, byteOffset, length)),
    );
    this.#socket.on('error', (error) => this.destroy(this.#lost(error.message, error)));
    this.#socket.on('close', () => this.destroy(this.#lost('the broker closed the connection')));
    this.#readDeadline = new ReadDeadline(limits.handshakeMs, () => {
      this.destroy(this.#lost(`no answer to Hello in ${limits.handshakeMs} ms`));
    });
    this.#socket.write(encodePreamble());
    if (this.#proof === null) this.#sayHello(new Uint8Array(0));
    else this.#write('Prove', { nonce: this.#proof.nonce });
    return this.#opened.promise;
  }

  #sayHello(proof: Uint8Array): void {
    const { session, clientName: client } = this.#options;
    const { frameBytesMax } = limits;
    this.#write('Hello', { session, client, proof, features: 0, frameBytesMax });
  }

  #write<N extends MessageName>(name: N, fields: Message<N>): void {
    const writer = new Writer();
    encodeFrame(writer, name, handshakeId, fields);
    this.send(writer.written());
  }

  /** Sends one encoded frame. All frames of one tick leave in one write. */
  send(frame: Uint8Array): void {
    if (this.#state === 'closed') return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  /** Closes at once. What was not answered by now will not be. */
  destroy(reason: AiqError): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.#closedBy = reason;
    this.#readDeadline?.end();
    clearInterval(this.#timer);
    this.#socket.destroy();
    if (wasOpen) this.#options.onClosed(reason);
    else this.#opened.reject(reason);
  }

  #receive(chunk: Uint8Array): void {
    this.#heard = true;
    try {
      this.#splitter.push(chunk);
      if (this.#state === 'preamble') this.#readPreamble();
      if (this.#state === 'preamble') return;
      for (let frame = this.#splitter.next(); frame !== null; frame = this.#splitter.next()) {
        this.#dispatch(decodeFrame(frame));
      }
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      this.destroy(error);
    }
  }

  #readPreamble(): void {
    const preamble = this.#splitter.takeRaw(preambleBytes);
    if (preamble === null) return;
    const version = decodePreamble(preamble);
    if (version !== protocolVersion) {
      throw new AiqError(
        'VERSION',
        `the broker at ${this.address} speaks protocol ${version}, this client ${protocolVersion}: ` +
          'use the same aiq version on both sides',
      );
    }
    this.#state = this.#proof === null ? 'hello' : 'proving';
  }

  #dispatch(message: AnyMessage): void {
    if (this.#state === 'closed') return;
    const isOwn = message.correlationId < firstRequestId;
    if (message.name === 'Error' && isOwn) {
      const code = errorCodeOf(message.fields.code);
      throw new AiqError(code, `the broker at ${this.address} says: ${message.fields.message}`);
    }
    if (this.#state === 'open') {
      if (message.correlationId !== pingId) this.#options.onMessage(message);
      return;
    }
    if (this.#state === 'proving' && message.name === 'Proof') this.#proven(message.fields);
    else if (this.#state === 'hello' && message.name === 'HelloOk') this.#open(message.fields);
    else throw new AiqError('BAD_FRAME', `${this.address} answered Hello with ${message.name}`);
  }

  #proven(fields: Message<'Proof'>): void {
    if (this.#proof === null) return;
    try {
      const proof = this.#proof.answer(fields);
      this.#provenBroker = fields.broker;
      this.#state = 'hello';
      this.#sayHello(proof);
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      throw new AiqError(error.code, `the program at ${this.address}: ${error.message}`, {
        cause: error,
      });
    }
  }

  #open(hello: Message<'HelloOk'>): void {
    const { brokerId } = this.#options.endpoint;
    if (brokerId !== undefined && hello.broker !== brokerId) {
      throw this.#lost(`broker ${hello.broker} answers there, not ${brokerId}`);
    }
    if (this.#provenBroker !== null && hello.broker !== this.#provenBroker) {
      throw new AiqError(
        'BAD_FRAME',
        `${this.address} proved itself as another broker than it says`,
      );
    }
    this.#helloOk = hello;
    this.#state = 'open';
    this.#readDeadline?.end();
    // After what came while this process did not run. Unref'd: watching an idle connection must not
    // keep a process alive.
    const watch = (): void => void setImmediate(() => this.#watch());
    this.#timer = setInterval(watch, this.#options.pingMs).unref();
    this.#opened.resolve(this);
  }

  #watch(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#silences = 0;
      return;
    }
    const { pingMs, inFlightBytes } = this.#options;
    this.#silences += 1;
    if (this.#silences * pingMs > pingsMax * pingMs + lineMs(inFlightBytes())) {
      const ms = (this.#silences + 1) * pingMs;
      this.destroy(this.#lost(`silent for ${ms} ms, ${pingsMax} pings in vain`));
      return;
    }
    if (this.#silences > pingsMax) return;
    const writer = new Writer();
    encodeFrame(writer, 'Ping', pingId, {});
    this.send(writer.written());
  }

  #lost(reason: string, cause?: Error): AiqError {
    return new AiqError('UNREACHABLE', `lost the broker at ${this.address}: ${reason}`, { cause });
  }
}
