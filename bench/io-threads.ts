/**
 * What one more I/O thread of the broker brings: durable enqueue over loopback TCP, alternating the
 * numbers of threads within one run. The broker runs here, the clients in a process of their own.
 * `node bench/io-threads.ts [repetitions] [milliseconds of each]`
 */

import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { startBroker } from '../core/broker/index.ts';
import { Client } from '../core/client/index.ts';
import { idToText, type Job, plainJob } from '../core/protocol/index.ts';
import { median, print, rangeOf } from './measure/figures.ts';

const threadCounts = [1, 2] as const;
const inFlight = 64;
const bodyBytes = 1024;
const warmUpMs = 300;

interface Work {
  readonly connections: number;
  /** Jobs of one request; what is in flight is this or `inFlight` jobs on each connection. */
  readonly batch: number;
}

const works: readonly Work[] = [1, 16].flatMap((connections) =>
  [1, inFlight].map((batch) => ({ connections, batch })),
);

/** What the clients are told, and what they answer. */
interface Order extends Work {
  readonly port: number;
  readonly token: string;
  readonly runMs: number;
}

interface Outcome {
  readonly jobsPerSecond: number;
  /** Processor time for each job of the busiest I/O thread, and of the rest of the broker. */
  readonly ioMicros: number;
  readonly coreMicros: number;
}

if (process.send === undefined) await measure();
else process.on('message', (order: Order) => void drive(order).then(answer, fail));

function answer(jobs: number): void {
  process.send?.(jobs);
}

function fail(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

/** The clients' side: enqueues for as long as it is told, and returns how many jobs were accepted. */
async function drive({ port, token, connections, batch, runMs }: Order): Promise<number> {
  const endpoint = { host: '127.0.0.1', port, token: new TextEncoder().encode(token) };
  const clients = Array.from(
    { length: connections },
    () => new Client({ resolve: () => Promise.resolve(endpoint), clientName: 'bench' }),
  );
  await Promise.all(clients.map(async (client) => await client.opened()));
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + runMs;
  let accepted = 0;

  async function enqueueOn(client: Client): Promise<void> {
    while (performance.now() < endMs) {
      const jobs = Array.from({ length: batch }, newJob);
      const answers = await client.enqueue(jobs);
      const isIn = performance.now() >= startMs && performance.now() <= endMs;
      if (isIn) accepted += answers.filter(({ outcome }) => outcome === 'created').length;
    }
  }

  // One by one there are `inFlight` callers in all; a batch is in flight on each connection.
  const callers = batch === 1 ? inFlight / connections : 2;
  await Promise.all(
    clients.flatMap((client) => Array.from({ length: callers }, () => enqueueOn(client))),
  );
  await Promise.all(clients.map(async (client) => await client.close()));
  return accepted;
}

const body = new Uint8Array(bodyBytes).fill(0x20);

function newJob(): Job {
  return {
    id: idToText(randomBytes(16)),
    queue: 'bench',
    digest: new Uint8Array(16),
    body,
    agent: 'bench',
    agentDigest: new Uint8Array(32),
    source: '',
    createdAtMs: 0,
    ...plainJob,
  };
}

async function measure(): Promise<void> {
  const repetitions = Number(process.argv[2] ?? 7);
  const runMs = Number(process.argv[3] ?? 1_000);
  const clients = fork(fileURLToPath(import.meta.url));
  const clientsLeft = once(clients, 'exit').then((): never => {
    throw new Error('the clients failed');
  });
  try {
    print(`${availableParallelism()} cores, ${repetitions} alternated runs of ${runMs} ms each`);
    print('I/O and core: microseconds of processor time for each job');
    const setting = { clients, clientsLeft, repetitions, runMs };
    for (const work of works) await compare(work, setting);
  } finally {
    clients.kill();
  }
}

interface Setting {
  readonly clients: ChildProcess;
  /** Rejects when they end before they were asked to. */
  readonly clientsLeft: Promise<never>;
  readonly repetitions: number;
  readonly runMs: number;
}

async function compare(work: Work, setting: Setting): Promise<void> {
  const outcomes = threadCounts.map((): Outcome[] => []);
  for (let count = 0; count < setting.repetitions; count++) {
    for (const [index, ioThreads] of threadCounts.entries()) {
      outcomes[index]?.push(await run(work, ioThreads, setting));
    }
  }
  const how = work.batch === 1 ? `one by one, ${inFlight} in flight` : `batches of ${work.batch}`;
  print(`\n${how}, ${work.connections} connection${work.connections === 1 ? '' : 's'}`);
  const first = outcomes[0] ?? [];
  outcomes.forEach((runs, index) => {
    const rates = runs.map(({ jobsPerSecond }) => jobsPerSecond);
    const ratios = rates.map((rate, at) => rate / (first[at]?.jobsPerSecond ?? rate));
    const io = median(runs.map(({ ioMicros }) => ioMicros)).toFixed(1);
    const core = median(runs.map(({ coreMicros }) => coreMicros)).toFixed(1);
    print(
      `  ${threadCounts[index]} thread(s)  ${rangeOf(rates)} jobs/s  ratio ${rangeOf(ratios, 2)}  I/O ${io}  core ${core}`,
    );
  });
}

async function run(
  work: Work,
  ioThreads: number,
  { clients, clientsLeft, runMs }: Setting,
): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'aiq-bench-'));
  const workers: Worker[] = [];
  const onWorker = (worker: Worker): void => void workers.push(worker);
  process.on('worker', onWorker);
  const tcp = { host: '127.0.0.1', port: 0 };
  const broker = await startBroker({
    dir,
    unix: false,
    tcp,
    idleExitMs: null,
    ioThreads,
    // Its thread is none of those that are measured.
    history: false,
  });
  process.off('worker', onWorker);
  try {
    const token = readFileSync(join(dir, 'token'), 'utf8').trim();
    const before = await usage(workers);
    const order: Order = { ...work, port: broker.addresses.tcp?.port ?? 0, token, runMs };
    clients.send(order);
    const [jobs] = (await Promise.race([once(clients, 'message'), clientsLeft])) as [number];
    const after = await usage(workers);
    // Processor time is of the whole run, the jobs are those of the window.
    const all = (jobs * (runMs + warmUpMs)) / runMs;
    return {
      jobsPerSecond: (jobs * 1000) / runMs,
      ioMicros: (after.io - before.io) / all,
      coreMicros: (after.core - before.core) / all,
    };
  } finally {
    await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Microseconds that the threads of this process have used. */
async function usage(workers: readonly Worker[]): Promise<{ io: number; core: number }> {
  const each = await Promise.all(workers.map(async (worker) => await worker.cpuUsage()));
  const io = each.reduce((sum, { user, system }) => sum + user + system, 0);
  const { user, system } = process.threadCpuUsage();
  return { io, core: user + system };
}
