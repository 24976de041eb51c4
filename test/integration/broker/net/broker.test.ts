/** The broker with several I/O threads: bad neighbours, a thread that dies under leases, a second broker. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  type BrokerOptions,
  type RunningBroker,
  startBroker,
} from '../../../../core/broker/index.ts';
import {
  Client,
  type Consumer,
  type LeasedJob,
  openConsumer,
} from '../../../../core/client/index.ts';
import { encodeJob, idToText, type Job, plainJob } from '../../../../core/protocol/index.ts';
import { acked } from '../../../support/acked.ts';
import { frameOf, Peer, temporaryFolder, watchWorkers } from './peer.ts';

const anyPort = { host: '127.0.0.1', port: 0 };
let folder: ReturnType<typeof temporaryFolder>;
let workers: ReturnType<typeof watchWorkers>;
let broker: RunningBroker;
let notices: string[];
/** What has to end before the broker does. */
let ends: (() => Promise<void>)[];

beforeEach(async () => {
  folder = temporaryFolder();
  workers = watchWorkers();
  notices = [];
  ends = [];
  broker = await start(folder.path, { ioThreads: 2 });
});

afterEach(async () => {
  for (const end of ends) await end();
  await broker.stop();
  workers.release();
  folder.remove();
});

function start(dir: string, options: Partial<BrokerOptions>): Promise<RunningBroker> {
  const onNotice = (text: string): void => void notices.push(text);
  // Without a history all threads are I/O threads.
  const quiet = { idleExitMs: null, onNotice, history: false };
  return startBroker({ dir, unix: false, tcp: anyPort, ...quiet, ...options });
}

function address(): { host: string; port: number } {
  return broker.addresses.tcp ?? anyPort;
}

function token(): Uint8Array {
  return new TextEncoder().encode(readFileSync(join(folder.path, 'token'), 'utf8').trim());
}

function newId(): string {
  return idToText(randomBytes(16));
}

function newJob(): Job {
  return {
    id: newId(),
    queue: 'summarize',
    digest: new Uint8Array(16),
    body: new TextEncoder().encode('{"text":"hello"}'),
    agent: 'summarize',
    agentDigest: new Uint8Array(32),
    source: 'hello.txt',
    createdAtMs: 1_790_000_000_000,
    ...plainJob,
  };
}

async function peerWithHello(): Promise<Peer> {
  const peer = new Peer(address());
  ends.push(async () => await peer.close());
  await peer.hello({ session: newId() }, token());
  return peer;
}

/** Says Hello and sends frames of garbage, until the broker has enough. */
async function sendGarbage(): Promise<string> {
  const peer = await peerWithHello();
  peer.raw(Uint8Array.of(0, 0, 0, 64, 10, 0, 0, 0, 0, 0, 0, 9));
  peer.raw(randomBytes(256 * 1024));
  return (await peer.refusal()).code;
}

/** A process of its own that is killed in the middle of a frame. */
async function killClient(): Promise<void> {
  const halfFrame = [...frameOf('Ping', 2, {}).subarray(0, 7)];
  const script = `
    import { openConnection } from '${new URL('../../../../core/client/connection.ts', import.meta.url).href}';
    const connection = await openConnection({
      endpoint: { ...${JSON.stringify(address())}, token: Uint8Array.of(${token().join()}) },
      session: '${newId()}', clientName: 'test', pingMs: 60_000, onMessage() {}, onClosed() {},
    });
    connection.send(Uint8Array.of(${halfFrame.join()}));
    process.stdout.write('served');`;
  const client: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (client.stdout === null) throw new Error('the client has no output');
  await once(client.stdout, 'data');
  client.kill('SIGKILL');
  await once(client, 'exit');
}

it('serves 256 connections to their last request while one sends garbage and one is killed', async () => {
  const peers: Peer[] = [];
  for (let wave = 0; wave < 4; wave++) {
    peers.push(...(await Promise.all(Array.from({ length: 64 }, peerWithHello))));
  }
  const storm = new AbortController();
  let asked = 0;
  const answers = new Map<string, number>();
  const count = (name: string): void => void answers.set(name, (answers.get(name) ?? 0) + 1);

  async function ask(peer: Peer): Promise<void> {
    for (let round = 0; round < 4 || !storm.signal.aborted; round++) {
      const id = 10 + round * 2;
      peer.send('Ping', id, {});
      peer.send('Enqueue', id + 1, { atomic: false, jobs: [encodeJob(newJob(), crc32)] });
      asked += 1;
      count((await peer.answer(id)).name);
      const answer = await peer.answer(id + 1);
      count(answer.name === 'EnqueueOk' ? (answer.fields.items[0]?.outcome ?? '') : answer.name);
    }
  }

  async function disturb(): Promise<void> {
    try {
      const [code] = await Promise.all([sendGarbage(), killClient()]);
      expect(code).toMatch(/^(?:BAD_FRAME|FRAME_TOO_LARGE|UNKNOWN_OPCODE)$/);
    } finally {
      storm.abort();
    }
  }

  await Promise.all([disturb(), ...peers.map(ask)]);
  expect(answers).toEqual(
    new Map([
      ['Ok', asked],
      ['created', asked],
    ]),
  );
  expect(peers.filter(({ socket }) => socket.closed)).toEqual([]);
  // Only the one that sent garbage was cut off.
  expect(notices.filter((text) => !text.includes('was cut off'))).toEqual([]);
});

interface TestConsumer {
  readonly consumer: Consumer;
  readonly leases: LeasedJob[];
  readonly lost: string[];
  /** Said when its connection was lost and when it was back. */
  readonly notices: string[];
}

async function openTestConsumer(credit: number): Promise<TestConsumer> {
  const said = { leases: [] as LeasedJob[], lost: [] as string[], notices: [] as string[] };
  const endpoint = { ...address(), token: token() };
  const consumer = await openConsumer({
    resolve: () => Promise.resolve(endpoint),
    clientName: 'test',
    queues: ['summarize'],
    credit,
    blobs: { request: () => Promise.reject(new Error('no job is large')) },
    onDelivery: (lease) => void said.leases.push(lease),
    onLeaseLost: (_lease, code) => void said.lost.push(code),
    onNotice: (text) => void said.notices.push(text),
  });
  ends.push(async () => await consumer.close());
  return { consumer, ...said };
}

async function enqueue(count: number): Promise<Client> {
  const endpoint = { ...address(), token: token() };
  const client = new Client({ resolve: () => Promise.resolve(endpoint), clientName: 'test' });
  ends.push(async () => await client.close());
  await client.enqueue(Array.from({ length: count }, newJob));
  return client;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(5);
}

it('keeps the leases of consumers whose thread dies; they come back, the others never notice', async () => {
  const consumers: TestConsumer[] = [];
  for (let count = 0; count < 24; count++) consumers.push(await openTestConsumer(2));
  const client = await enqueue(48);
  await until(() => consumers.every(({ leases }) => leases.length === 2));
  await workers.born[1]?.terminate();
  await until(() => consumers.some((one) => one.notices.length > 0));
  // A client that is back before the core has heard of the death takes its own session over.
  const others = notices.filter((text) => !/client "test" .* was taken over/.test(text));
  expect(others).toEqual([expect.stringContaining('an I/O thread died')]);
  const settled = consumers.flatMap(({ consumer, leases }) =>
    leases.map(async (lease) => await consumer.settle(lease, acked)),
  );
  expect(new Set((await Promise.all(settled)).map(({ code }) => code))).toEqual(new Set([0]));
  expect(consumers.flatMap(({ lost }) => lost)).toEqual([]);
  expect(consumers.flatMap(({ leases }) => leases)).toHaveLength(48);
  const said = new Map(consumers.map((one) => [one.notices.length, one.notices.join('; ')]));
  expect(said).toEqual(
    new Map([
      [0, ''],
      [2, expect.stringMatching(/closed the connection; trying again; connected to/)],
    ]),
  );
  const { queues } = await client.request('Stats', { queues: [] });
  expect(queues).toMatchObject([{ queue: 'summarize', done: 48, leased: 0, ready: 0 }]);
});

it.each([1, 2])('refuses its port to a second broker with %i I/O thread(s)', async (ioThreads) => {
  const other = temporaryFolder();
  try {
    const second = start(other.path, { tcp: address(), ioThreads });
    await expect(second).rejects.toThrow(
      new RegExp(`cannot listen on 127.0.0.1:${address().port}: .*perhaps another broker`),
    );
    expect(existsSync(join(other.path, 'endpoints.json'))).toBe(false);
    await peerWithHello();
    // The folder is free again.
    await (await start(other.path, { ioThreads })).stop();
  } finally {
    other.remove();
  }
});

it('stops when its I/O threads die too often', async () => {
  const killer = (worker: Worker): void => {
    worker.once('online', () => void worker.terminate());
  };
  process.on('worker', killer);
  await workers.born[0]?.terminate();
  const end = await broker.closed;
  process.off('worker', killer);
  expect(end).toMatchObject({
    reason: 'failed',
    error: { message: expect.stringContaining('I/O threads of the broker die too often') },
  });
  expect(workers.born.length).toBeGreaterThan(6);
});

it('refuses a number of I/O threads that makes no sense before it does anything', async () => {
  const other = temporaryFolder();
  await expect(start(other.path, { ioThreads: 0 })).rejects.toThrow('ioThreads must be');
  expect(existsSync(join(other.path, 'log'))).toBe(false);
  other.remove();
});
