/**
 * A connection for attacks: it sends whatever bytes it is given, many requests in one write, reads
 * or does not read, and looks into no answer that nobody waits for.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import {
  type AnswerOf,
  type AnyMessage,
  type Delivery,
  decodeFrame,
  encodeFrame,
  encodeJob,
  encodePreamble,
  errorCodeOf,
  type Frame,
  FrameSplitter,
  idToText,
  type LeaseToken,
  limits,
  type Message,
  type MessageName,
  noUsage,
  preambleBytes,
  type RequestName,
  Writer,
} from '../../core/protocol/index.ts';

export type Where = { readonly path: string } | { readonly host: string; readonly port: number };

/** A request was refused with this code of the protocol's table. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

export function randomId(): string {
  return idToText(crypto.getRandomValues(new Uint8Array(16)));
}

/** An encoded job with a body of so many bytes. */
export function jobOf(
  queue: string,
  {
    id = randomId(),
    bodyBytes = 2,
    parkKey,
  }: { id?: string; bodyBytes?: number; parkKey?: string } = {},
): Uint8Array<ArrayBuffer> {
  const job = {
    id,
    queue,
    digest: new Uint8Array(16).fill(7),
    body: new Uint8Array(bodyBytes).fill(120),
    agent: '',
    agentDigest: new Uint8Array(0),
    source: '',
    createdAtMs: 0,
    attemptsMax: 1000,
    delayMs: 0,
    ...(parkKey === undefined ? {} : { parkKey }),
  };
  return encodeJob(job, crc32);
}

/** So many requests as one piece of bytes, with correlation ids from `first` on. */
export function pipelined<N extends MessageName>(
  count: number,
  name: N,
  fields: Message<N> | ((index: number) => Message<N>),
  first = 2,
): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  for (let index = 0; index < count; index++) {
    encodeFrame(writer, name, first + index, typeof fields === 'function' ? fields(index) : fields);
  }
  return writer.written();
}

interface Waiting {
  readonly resolve: (answer: AnyMessage) => void;
  readonly reject: (error: Error) => void;
}

const noBytes = new Uint8Array(0);

/** Also what a peer sees that is turned away without a word: there are too many to tell each. */
function closedError(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'CLOSED' });
}

/** Behind the numbers that `pipelined` gives. */
const firstAsked = 0x4000_0000;

export class Peer {
  readonly socket: Socket;
  /** Answers that came, whoever asked. */
  answered = 0;
  /** Codes of the Error frames that came, and how often. */
  readonly refused = new Map<string, number>();
  /** Told of every delivery. */
  onDelivery: (delivery: Delivery) => void = () => undefined;
  readonly #splitter = new FrameSplitter(16 * 1024 * 1024);
  readonly #waiting = new Map<number, Waiting>();
  #sawPreamble = false;
  #next = firstAsked;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const closed = closedError();
      for (const { reject } of this.#waiting.values()) reject(closed);
      this.#waiting.clear();
    });
    socket.on('data', (chunk: Uint8Array) => this.#take(chunk));
  }

  /** Connects and says nothing. Throws when nobody listens. */
  static async connect(where: Where): Promise<Peer> {
    const socket = connect(where);
    const peer = new Peer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** Connects and says Hello without a token. Throws when it is not welcome. */
  static async open(where: Where, session = randomId()): Promise<Peer> {
    const peer = await Peer.connect(where);
    try {
      peer.raw(encodePreamble());
      await peer.ask('Hello', {
        session,
        client: 'hostile',
        proof: noBytes,
        features: 0,
        frameBytesMax: limits.frameBytesMax,
      });
    } catch (error) {
      peer.socket.destroy();
      const [code] = peer.refused.keys();
      throw code === undefined ? error : new Refused(code, 'not welcome');
    }
    return peer;
  }

  isClosed(): boolean {
    return this.socket.closed || this.socket.destroyed;
  }

  raw(bytes: Uint8Array): void {
    if (!this.isClosed()) this.socket.write(bytes);
  }

  /** Writes, and waits until the system has taken all of it, or the connection is gone. */
  async flood(bytes: Uint8Array): Promise<void> {
    if (this.isClosed()) return;
    await new Promise<void>((resolve) => {
      this.socket.write(bytes, () => resolve());
    });
  }

  async ask<N extends RequestName>(name: N, fields: Message<N>): Promise<Message<AnswerOf<N>>> {
    const correlationId = this.#next++;
    if (this.isClosed()) throw closedError();
    const { promise, resolve, reject } = Promise.withResolvers<AnyMessage>();
    this.#waiting.set(correlationId, { resolve, reject });
    this.raw(pipelined(1, name, fields, correlationId));
    return (await promise).fields as Message<AnswerOf<N>>;
  }

  async enqueue(jobs: readonly Uint8Array[]): Promise<void> {
    const { items } = await this.ask('Enqueue', { atomic: false, jobs: [...jobs] });
    const bad = items.find(({ outcome }) => outcome === 'refused');
    if (bad !== undefined) throw new Refused(errorCodeOf(bad.code), bad.message);
  }

  /** Ends the lease of a job that is done; returns the code of the answer, 0 when all is well. */
  async ack(token: LeaseToken, note = ''): Promise<number> {
    const rest = {
      errorCode: '',
      errorMessage: '',
      result: null,
      output: null,
      prompts: null,
      enqueue: [],
      park: null,
    };
    const item = { token, outcome: 'ack', delayMs: 0, note, usage: noUsage, ...rest } as const;
    const { items } = await this.ask('Settle', { items: [item] });
    return items[0]?.code ?? Number.NaN;
  }

  /** Waits until the other side closed. */
  async closed(): Promise<void> {
    if (!this.isClosed()) await once(this.socket, 'close').catch(() => undefined);
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
    if (!this.#sawPreamble) {
      if (this.#splitter.takeRaw(preambleBytes) === null) return;
      this.#sawPreamble = true;
    }
    for (let frame = this.#splitter.next(); frame; frame = this.#splitter.next()) {
      this.#receive(frame);
    }
  }

  #receive(frame: Frame): void {
    const { opcode, correlationId } = frame;
    const waiting = this.#waiting.get(correlationId);
    const isKnown = opcode === opcodes.Deliver || opcode === opcodes.Error;
    if (correlationId !== 0) this.answered++;
    if (waiting === undefined && !isKnown) return;
    const message = decodeFrame(frame);
    if (message.name === 'Deliver') message.fields.items.forEach((one) => this.onDelivery(one));
    this.#waiting.delete(correlationId);
    if (message.name !== 'Error') return waiting?.resolve(message);
    const code = errorCodeOf(message.fields.code);
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
    waiting?.reject(new Refused(code, message.fields.message));
  }
}

const opcodes = { Error: 3, Deliver: 13 } as const;
