/** What the tests of the network side share: a peer on a real socket, and a small core that answers. */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { shortSocketPath } from '../../../../core/base/index.ts';
import type { NetEvent, Outgoing } from '../../../../core/broker/events.ts';
import {
  type IoPool,
  type IoPoolOptions,
  startIoPool,
} from '../../../../core/broker/net/pool/io-pool.ts';
import { TokenProof } from '../../../../core/client/proof.ts';
import {
  type AnyMessage,
  decodeFrame,
  decodePreamble,
  encodeFrame,
  encodePreamble,
  errorCodeOf,
  FrameSplitter,
  type Message,
  type MessageName,
  preambleBytes,
  Writer,
} from '../../../../core/protocol/index.ts';

export const session = '0123456789abcdefghjkmnpqr0';
const token = new TextEncoder().encode('a token of these tests');
export const guard = { token, broker: session };

/** A fresh private folder and how to remove it. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'aiq-net-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function helloFields(fields: Partial<Message<'Hello'>> = {}): Message<'Hello'> {
  const defaults = {
    session,
    client: 'test',
    proof: new Uint8Array(0),
    features: 0,
    frameBytesMax: 4_194_304,
  };
  return { ...defaults, ...fields };
}

export function frameOf<N extends MessageName>(
  name: N,
  correlationId: number,
  fields: Message<N>,
): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  encodeFrame(writer, name, correlationId, fields);
  return writer.written();
}

/** One side of a connection that speaks the protocol, or whatever bytes the test wants. */
export class Peer {
  readonly socket: Socket;
  readonly received: AnyMessage[] = [];
  readonly closed: Promise<void>;
  #splitter = new FrameSplitter(16 * 1024 * 1024);
  readonly #isTcp: boolean;
  #version: number | null = null;
  #wake = (): void => {};

  constructor(where: { path: string } | { host: string; port: number }) {
    this.socket = connect(where);
    this.#isTcp = 'port' in where;
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        resolve();
        this.#wake();
      });
    });
    this.socket.on('data', (chunk: Uint8Array) => {
      this.#splitter.push(chunk);
      if (this.#version === null) {
        const preamble = this.#splitter.takeRaw(preambleBytes);
        if (preamble === null) return;
        this.#version = decodePreamble(preamble);
      }
      for (let frame = this.#splitter.next(); frame; frame = this.#splitter.next()) {
        this.received.push(decodeFrame(frame));
      }
      this.#wake();
    });
  }

  /** The version in the broker's preamble; null before it came. */
  get version(): number | null {
    return this.#version;
  }

  raw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  send<N extends MessageName>(name: N, correlationId: number, fields: Message<N>): void {
    this.raw(frameOf(name, correlationId, fields));
  }

  /** Preamble, over TCP the proof of the token, and Hello; then waits for the answer. */
  async hello(
    fields: Partial<Message<'Hello'>> = {},
    key: Uint8Array = token,
  ): Promise<AnyMessage> {
    this.raw(encodePreamble());
    const proof = this.#isTcp ? await this.prove(key) : new Uint8Array(0);
    this.send('Hello', 1, helloFields({ proof, ...fields }));
    return await this.answer(1);
  }

  /** Asks the broker for its proof, checks it, and returns the client's. */
  async prove(key: Uint8Array = token): Promise<Uint8Array> {
    const proof = new TokenProof(key);
    this.send('Prove', 1, { nonce: proof.nonce });
    const answer = await this.answer(1);
    if (answer.name !== 'Proof') throw new Error(`${answer.name}: ${JSON.stringify(answer)}`);
    return proof.answer(answer.fields);
  }

  /** The next message with this correlation id, taken off `received`. */
  async answer(correlationId: number): Promise<AnyMessage> {
    for (;;) {
      const index = this.received.findIndex((message) => message.correlationId === correlationId);
      const [found] = index === -1 ? [] : this.received.splice(index, 1);
      if (found !== undefined) return found;
      if (this.socket.closed) throw new Error(`closed before an answer to ${correlationId}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for the close and returns the code of the only Error frame, with its correlation id. */
  async refusal(): Promise<{ code: string; correlationId: number }> {
    await this.closed;
    const [last] = this.received.filter(({ name }) => name === 'Error');
    if (last?.name !== 'Error') throw new Error('closed without an Error frame');
    return { code: errorCodeOf(last.fields.code), correlationId: last.correlationId };
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}

/** The threads that this process starts from now on, in the order of their birth. */
export function watchWorkers(): { born: Worker[]; release(): void } {
  const born: Worker[] = [];
  const onWorker = (worker: Worker): void => void born.push(worker);
  process.on('worker', onWorker);
  return { born, release: () => process.off('worker', onWorker) };
}

/** Says Hello on new connections until one is welcome: its thread may be starting again. */
export async function welcomed(makePeer: () => Peer): Promise<Peer> {
  for (;;) {
    const peer = makePeer();
    try {
      await peer.hello();
      return peer;
    } catch {
      await setTimeout(10);
    }
  }
}

export interface TestBroker {
  readonly pool: IoPool;
  readonly events: NetEvent[];
  /** What the pool said: of threads that died, and that none starts any more. */
  readonly notices: string[];
  readonly lost: Error[];
  /** Settles as soon as the condition holds for the events so far. */
  until(holds: (events: readonly NetEvent[]) => boolean): Promise<void>;
  readonly unixPeer: () => Peer;
  readonly tcpPeer: () => Peer;
  stop(): Promise<void>;
}

const helloOk: Message<'HelloOk'> = {
  broker: session,
  epoch: 1,
  software: 'test',
  features: 0,
  frameBytesMax: 4_194_304,
  jobBytesMax: 1_048_576,
  batchItemsMax: 1000,
  leaseMs: 60_000,
  resumeMs: 2_000,
  sessionKnown: false,
};

function ignore(): void {}

/** Says HelloOk, and Ok to whatever else is asked. */
function answersTo(events: readonly NetEvent[]): Outgoing[] {
  return events.flatMap((event): Outgoing[] => {
    if (event.type === 'opened') {
      const { connection, correlationId } = event;
      return [{ connection, correlationId, name: 'HelloOk', fields: helloOk }];
    }
    if (event.type === 'closed' || event.type === 'left') return [];
    const correlationId =
      event.type === 'enqueue' ? event.correlationId : event.request.correlationId;
    return [{ connection: event.connection, correlationId, name: 'Ok', fields: {} }];
  });
}

const hourMs = 3_600_000;

/** A pool on a Unix socket and a loopback port, in a folder of its own. */
export async function startTestBroker(
  options: Partial<IoPoolOptions> & { answer?: (events: readonly NetEvent[]) => Outgoing[] } = {},
): Promise<TestBroker> {
  const { answer = answersTo, ...poolOptions } = options;
  const folder = temporaryFolder();
  const events: NetEvent[] = [];
  const notices: string[] = [];
  const lost: Error[] = [];
  let check: () => void = ignore;
  const pool = await startIoPool({
    unixPath: join(folder.path, 'broker.sock'),
    tcp: { host: '127.0.0.1', port: 0 },
    guard,
    onEvents: (batch) => {
      events.push(...batch);
      pool.send(answer(batch));
      check();
    },
    onNotice: (text) => {
      notices.push(text);
      check();
    },
    onThreadLost: (error) => {
      lost.push(error);
      check();
    },
    // A test that is not about deadlines must not meet one, however slow the machine is.
    handshakeMs: hourMs,
    frameMs: hourMs,
    ...poolOptions,
  });
  return {
    pool,
    events,
    notices,
    lost,
    async until(holds) {
      await new Promise<void>((resolve) => {
        check = () => {
          if (holds(events)) resolve();
        };
        check();
      });
    },
    unixPeer: () => new Peer({ path: shortSocketPath(pool.addresses.unix ?? '').path }),
    tcpPeer: () => new Peer(pool.addresses.tcp ?? { host: '', port: 0 }),
    async stop() {
      await pool.stop();
      folder.remove();
    },
  };
}
