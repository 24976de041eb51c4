/**
 * A broker that is told what to answer: it speaks the real protocol on a real socket, and can lose
 * connections and answers at chosen moments. Jobs, leases and durability are not its business.
 */

import { createHmac, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {
  AiqError,
  type AnyMessage,
  decodeFrame,
  encodeFrame,
  encodePreamble,
  errorCodes,
  FrameSplitter,
  limits,
  type Message,
  type MessageName,
  nonceBytes,
  preambleBytes,
  signedBytes,
  Writer,
} from '../../../core/protocol/index.ts';

/** What a request is answered with; `silence` answers nothing, `cut` closes the connection. */
export type Answer =
  | { [N in MessageName]: { name: N; fields: Message<N> } }[MessageName]
  | 'silence'
  | 'cut';

export type Received = AnyMessage & { readonly connection: number };

export interface FakeBroker {
  readonly socketPath: string;
  /** Where it listens over TCP; 0 when it does not. */
  readonly port: number;
  /** Every message but Hello, in order of arrival. */
  readonly received: Received[];
  readonly hellos: Message<'Hello'>[];
  /** Chunks that arrived on all connections: how often the client wrote, at most. */
  chunks: number;
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<net.Socket>;
  /** Sends a message that nobody asked for over the newest connection. */
  push<N extends MessageName>(name: N, fields: Message<N>): void;
  /** Answers a request later, over the newest connection. */
  reply(request: Received, answer: Exclude<Answer, string>): void;
  /** Loses all connections, as a killed broker does. */
  cut(): void;
  /** Waits until the condition holds; checked after each message. */
  until(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export interface FakeBrokerOptions {
  readonly hello?: Partial<Message<'HelloOk'>>;
  /** Protocol version of the preamble. */
  readonly version?: number;
  readonly answer?: (message: Received, broker: FakeBroker) => Answer;
  /** Default: in a folder of its own. The folder goes with the broker. */
  readonly socketPath?: string;
  /** Listens on loopback TCP instead, and answers Prove so: with a proof of its token, or as told. */
  readonly tcp?: { readonly token: Uint8Array } | { readonly answerProve: () => Answer };
}

const helloOk: Message<'HelloOk'> = {
  broker: '0'.repeat(26),
  epoch: 1,
  software: 'fake',
  features: 0,
  frameBytesMax: limits.frameBytesMax,
  jobBytesMax: limits.jobBytesMax,
  batchItemsMax: limits.batchItemsMax,
  leaseMs: 30_000,
  resumeMs: 2_000,
  sessionKnown: false,
};

export const ok: Answer = { name: 'Ok', fields: {} };

/** An Error answer. */
export function failure(code: keyof typeof errorCodes, message = 'told to'): Answer {
  return { name: 'Error', fields: { code: errorCodes[code].number, message } };
}

/** Answers every request as if all went well. */
export function allIsWell(message: AnyMessage): Answer {
  const item = { code: 0, state: 'done' as const, message: '' };
  if (message.name === 'Enqueue') {
    return { name: 'EnqueueOk', fields: { items: message.fields.jobs.map(created) } };
  }
  if (message.name === 'Settle') {
    return { name: 'SettleOk', fields: { items: message.fields.items.map(() => item) } };
  }
  if (message.name === 'Resume') {
    return { name: 'ResumeOk', fields: { items: message.fields.tokens.map(() => item) } };
  }
  if (message.name === 'Extend') {
    const renewed = { code: 0, directive: 'none' as const };
    return { name: 'ExtendOk', fields: { items: message.fields.tokens.map(() => renewed) } };
  }
  return ok;
}

let createdCount = 0;
function created(): Message<'EnqueueOk'>['items'][number] {
  const id = String(createdCount++).padStart(25, '0') + '0';
  return { id, outcome: 'created', state: 'ready', code: 0, message: '' };
}

export async function startFakeBroker(options: FakeBrokerOptions = {}): Promise<FakeBroker> {
  const socketPath =
    options.socketPath ?? path.join(await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-fake-')), 's');
  const sockets = new Set<net.Socket>();
  const received: Received[] = [];
  let check: (() => void) | null = null;
  let connections = 0;
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket, ++connections);
  });

  const broker: FakeBroker = {
    socketPath,
    port: 0,
    received,
    hellos: [],
    chunks: 0,
    sockets,
    push(name, fields) {
      newest().write(frameOf(name, 0, fields));
    },
    reply(request, { name, fields }) {
      newest().write(frameOf(name, request.correlationId, fields));
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async until(condition) {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          check = resolve;
        });
      }
    },
    async close() {
      broker.cut();
      await new Promise((resolve) => server.close(resolve));
      await fs.rm(path.dirname(socketPath), { recursive: true, force: true });
    },
  };

  function newest(): net.Socket {
    const socket = [...sockets].at(-1);
    if (socket === undefined) throw new Error('nobody is connected');
    return socket;
  }

  function serve(socket: net.Socket, connection: number): void {
    const splitter = new FrameSplitter(limits.frameBytesMax);
    let preambleSeen = false;
    socket.write(encodePreamble(options.version));
    socket.on('data', (chunk: Buffer) => {
      broker.chunks += 1;
      // As the client does: what reads frames should not have to know of Buffers.
      splitter.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
      if (!preambleSeen) preambleSeen = splitter.takeRaw(preambleBytes) !== null;
      if (!preambleSeen) return;
      for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
        take(socket, { ...decodeFrame(frame), connection });
      }
      check?.();
    });
  }

  function take(socket: net.Socket, message: Received): void {
    if (message.name === 'Prove' && options.tcp !== undefined && 'token' in options.tcp) {
      const fields = proofOf(options.tcp.token, message.fields.nonce);
      socket.write(frameOf('Proof', message.correlationId, fields));
      return;
    }
    if (message.name === 'Hello') {
      broker.hellos.push(message.fields);
      const fields = { ...helloOk, ...options.hello };
      socket.write(frameOf('HelloOk', message.correlationId, fields));
      return;
    }
    received.push(message);
    const answer =
      message.name === 'Prove' && options.tcp !== undefined && 'answerProve' in options.tcp
        ? options.tcp.answerProve()
        : (options.answer ?? allIsWell)(message, broker);
    if (answer === 'cut') socket.destroy();
    else if (answer !== 'silence') {
      socket.write(frameOf(answer.name, message.correlationId, answer.fields));
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (options.tcp === undefined) server.listen(socketPath, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  return Object.assign(broker, typeof bound === 'string' ? {} : { port: bound?.port ?? 0 });
}

/** What a broker with this token answers to Prove. */
export function proofOf(
  token: Uint8Array,
  clientNonce: Uint8Array,
  broker: string = helloOk.broker,
): Message<'Proof'> {
  const nonce = new Uint8Array(randomBytes(nonceBytes));
  const bytes = signedBytes('broker', { clientNonce, brokerNonce: nonce, broker });
  return {
    broker,
    nonce,
    proof: new Uint8Array(createHmac('sha256', token).update(bytes).digest()),
  };
}

function frameOf(name: MessageName, correlationId: number, fields: unknown): Uint8Array {
  const writer = new Writer();
  encodeFrame(writer, name, correlationId, fields as never);
  return writer.written();
}

/** The code that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AiqError) return error.code;
    throw error;
  }
  return 'no error';
}
