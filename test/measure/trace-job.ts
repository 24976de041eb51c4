/**
 * Finds the files of `core/` in which a real broker runs code for one enqueue, one delivery and one
 * settle: a function counts when it is called more often in each of several traced steps than in an
 * idle pause before it. Works on the clone that is given, whatever its folders are called.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as clientModule from '../../core/client/index.ts';
import type * as protocolModule from '../../core/protocol/index.ts';
import type { ThreadCalls } from './coverage-preload.ts';

type Protocol = typeof protocolModule;
type ClientModule = typeof clientModule;
type Lease = clientModule.LeasedJob;

/** A file that ran, with the threads (`main`, `io`) that ran it and the functions. */
export interface TracedFile {
  /** Relative to `core/`. */
  readonly file: string;
  readonly threads: readonly string[];
  readonly functions: readonly string[];
}

export type Step = 'enqueue' | 'delivery' | 'settle';
export type Trace = Readonly<Record<Step, readonly TracedFile[]>>;

/** So many that background work is not in each of them. */
const roundsDefault = 10;
/** Longer than the log takes to come to rest after a step. */
const restMs = 250;
const idleMs = 100;
const queue = 'traced';

/**
 * Starts a broker in a folder of its own, has it serve a job as often as it takes, and stops it.
 * @param root of the clone whose broker is traced
 * @param rounds that count; a file is on the path when it ran in each
 * @throws Error when the broker ends by itself
 */
export async function traceJob(root: string, rounds = roundsDefault): Promise<Trace> {
  const protocol = (await import(join(root, 'core/protocol/index.ts'))) as Protocol;
  const { Client, openConsumer } = (await import(
    join(root, 'core/client/index.ts')
  )) as ClientModule;
  const dir = await mkdtemp(join(tmpdir(), 'aiq-trace-'));
  const broker = startTraced(root, dir);
  const { resolve, next } = deliveries();
  const options = {
    clientName: 'trace',
    resolve: () => Promise.resolve({ unix: join(dir, 'broker.sock') }),
  };
  try {
    await served(broker);
    const client = new Client(options);
    const consumer = await openConsumer({
      ...options,
      queues: [queue],
      credit: 0,
      blobs: client,
      onDelivery: resolve,
      onLeaseLost: () => undefined,
    });
    const steps: Record<Step, (round: number) => Promise<unknown>> = {
      enqueue: (round) => client.enqueue([jobOf(protocol, round)]),
      delivery: () => {
        consumer.setCredit(1);
        return next();
      },
      settle: async () => {
        await consumer.settle(await next(), settlement(protocol));
        consumer.setCredit(0);
      },
    };
    const counted = await countSteps(broker, steps, rounds);
    await consumer.close();
    await client.close();
    return counted;
  } finally {
    broker.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  }
}

/** Runs the steps round by round. The first round makes the queue and compiles; it does not count. */
async function countSteps(
  broker: ChildProcess,
  steps: Readonly<Record<Step, (round: number) => Promise<unknown>>>,
  rounds: number,
): Promise<Trace> {
  const counted: Record<Step, Counts[]> = { enqueue: [], delivery: [], settle: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of ['enqueue', 'delivery', 'settle'] as const) {
      counted[name].push(await countsOf(broker, () => steps[name](round)));
    }
  }
  return {
    enqueue: filesOf(counted.enqueue.slice(1)),
    delivery: filesOf(counted.delivery.slice(1)),
    settle: filesOf(counted.settle.slice(1)),
  };
}

function startTraced(root: string, dir: string): ChildProcess {
  const preload = fileURLToPath(new URL('coverage-preload.ts', import.meta.url));
  const entry = join(root, 'core/broker/main.ts');
  return spawn(process.execPath, ['--import', preload, entry, '--dir', dir], {
    env: { ...process.env, AIQ_TRACED_CORE: pathToFileURL(join(root, 'core/')).href },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

async function served(broker: ChildProcess): Promise<void> {
  let said = '';
  for await (const text of broker.stderr ?? []) {
    said += String(text);
    if (said.includes('serving ')) {
      broker.stderr?.resume();
      return;
    }
  }
  throw new Error(`the traced broker ended: ${said}`);
}

/** The newest delivery, for whoever asks before or after it came. */
function deliveries(): { resolve: (lease: Lease) => void; next: () => Promise<Lease> } {
  let current = Promise.withResolvers<Lease>();
  let taken = 0;
  return {
    resolve: (lease) => current.resolve(lease),
    next: () => {
      const { promise } = current;
      taken += 1;
      // Asked for by the delivery and by the settle of the same round.
      if (taken % 2 === 0) current = Promise.withResolvers<Lease>();
      return promise;
    },
  };
}

function jobOf(
  { plainJob }: Protocol,
  round: number,
): Parameters<InstanceType<ClientModule['Client']>['enqueue']>[0][number] {
  return {
    ...plainJob,
    id: `${round}0`.padStart(26, '0'),
    queue,
    digest: new Uint8Array(16),
    body: Buffer.from(JSON.stringify({ input: { text: 'The mill burned in 1901.' } })),
    agent: 'traced',
    agentDigest: new Uint8Array(32),
    source: 'mill.txt',
    createdAtMs: Date.now(),
  };
}

function settlement({ noUsage }: Protocol) {
  // What every consumer says. A plain ack goes a shorter way.
  const texts = { errorCode: '', errorMessage: '', note: '{"files":["out/mill.md"]}' };
  const none = {
    delayMs: 0,
    usage: noUsage,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
    park: null,
  };
  return { outcome: 'ack', ...texts, ...none } as const;
}

/** Calls by thread, file and function. */
type Counts = ReadonlyMap<string, number>;

/** The calls that a step adds to those of an idle pause. */
async function countsOf(broker: ChildProcess, run: () => Promise<unknown>): Promise<Counts> {
  await sleep(restMs);
  await ask(broker);
  await sleep(idleMs);
  const idle = await ask(broker);
  await run();
  const busy = await ask(broker);
  return new Map([...busy].filter(([key, count]) => count > (idle.get(key) ?? 0)));
}

async function ask(broker: ChildProcess): Promise<Counts> {
  broker.send({});
  const [answer] = (await once(broker, 'message')) as [readonly ThreadCalls[]];
  const root = broker.spawnargs.find((one) => one.endsWith('core/broker/main.ts')) ?? '';
  const core = pathToFileURL(root.slice(0, -'broker/main.ts'.length)).href;
  return new Map(
    answer.flatMap(({ thread, calls }) =>
      calls.map(({ url, functionName, start, count }) => [
        [thread, url.slice(core.length), functionName, start].join(' '),
        count,
      ]),
    ),
  );
}

/** What was called in every round. The search has a thread of its own, and nothing waits for it. */
function filesOf(all: readonly Counts[]): TracedFile[] {
  const [first = new Map<string, number>(), ...others] = all;
  const files = new Map<string, { threads: Set<string>; functions: Set<string> }>();
  for (const key of first.keys()) {
    const [thread = '', file = '', functionName = ''] = key.split(' ');
    if (!others.every((counts) => counts.has(key)) || thread.includes('history')) continue;
    const entry = files.get(file) ?? { threads: new Set(), functions: new Set() };
    files.set(file, entry);
    entry.threads.add(thread === 'main' ? 'main' : 'io');
    if (functionName !== '') entry.functions.add(functionName);
  }
  return [...files]
    .map(([file, { threads, functions }]) => ({
      file,
      threads: [...threads].sort(),
      functions: [...functions],
    }))
    .sort((left, right) => left.file.localeCompare(right.file));
}
