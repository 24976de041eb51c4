/**
 * A broker under load of every kind for as long as is asked for: killed and moved in the first half,
 * left alone in the second. Nothing accepted is lost, memory stands still, the log comes to rest.
 */

import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JobQueue, type JobState, openQueue } from '../../core/job-queue/index.ts';
import { consume, type Load, produce, queueName, toldStates } from '../crash/broker-cycles/load.ts';
import { ClientOracle, endStates } from '../oracle/client-oracle.ts';
import { Promises } from '../oracle/promises.ts';
import { until } from '../support/project.ts';
import { randomOf } from '../support/random.ts';
import { TendedBroker } from '../support/servers/tended-broker.ts';
import {
  blobs,
  clearing,
  deafReader,
  type Extras,
  looks,
  purges,
  silentPeer,
  slowReader,
} from './extras.ts';
import { type Point, slopeOf } from './slope.ts';

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly kills: number;
  readonly moves: number;
  readonly onProgress: (line: string) => void;
}

/** Figures of a run, and what it should not have seen. */
export interface SoakReport {
  readonly accepted: number;
  readonly acked: number;
  readonly kills: number;
  readonly moves: number;
  /** Times that a broker ended by itself because its folder was gone. */
  readonly left: number;
  readonly starts: number;
  /** Memory in the second half: least, most, and its growth in MiB a minute. */
  readonly memoryMiB: { readonly least: number; readonly most: number; readonly slope: number };
  readonly logBytes: number;
  readonly logLiveBytes: number;
  readonly problems: readonly string[];
}

const producers = 4;
const consumers = 3;
const producerPauseMs = 250;
const segmentBytes = 16 * 1024 * 1024;
/** Share of the time in which brokers are ended: what is left of the half warms the last one up. */
const unrestShare = 0.4;
const awayMsMax = 1_500;
const sampleEveryMs = 500;
const restMs = 10_000;
const watchMs = 5_000;
/** Done jobs that are kept: few, so that forgetting is part of the load. */
const keepJobs = 2_000;

/** One folder with its broker, its load and what was answered. */
class Side {
  readonly broker: TendedBroker;
  readonly oracle = new ClientOracle();
  readonly promises = new Promises();
  readonly #queues: JobQueue[] = [];
  /** Leads to the folder wherever it is: clients stay with it. */
  #descriptor: number | null = null;

  constructor(dir: string) {
    this.broker = new TendedBroker(dir);
  }

  /** A client of this folder's broker. */
  async open(clientName: string): Promise<JobQueue> {
    await until('a broker that serves', async () => {
      const { dir } = this.broker;
      return dir !== null && existsSync(join(dir, 'endpoints.json'));
    });
    this.#descriptor ??= openSync(this.broker.dir ?? '', 'r');
    const queue = await openQueue({
      broker: `unix:/proc/self/fd/${this.#descriptor}/broker.sock`,
      tokenFile: null,
      clientName,
      connectDeadlineMs: 60_000,
    });
    this.#queues.push(queue);
    return queue;
  }

  async loads(count: number, stop: AbortSignal): Promise<Load[]> {
    const rest = { oracle: this.oracle, stop, life: process.pid.toString(36) };
    const open = async (_: unknown, index: number): Promise<Load> => {
      const queue = await this.open(`load-${index}`);
      return { queue, ...rest, pauseMs: producerPauseMs };
    };
    return Promise.all(Array.from({ length: count }, open));
  }

  get problems(): string[] {
    const { broker, oracle, promises } = this;
    return [...broker.problems, ...oracle.violations, ...promises.violations];
  }

  async close(): Promise<void> {
    for (const queue of this.#queues) await queue.close();
    await this.broker.end();
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

/** Ends the brokers of both folders in every way, at moments that the seed decides. */
class Unrest {
  readonly #options: SoakOptions;
  readonly #base: string;
  readonly #random: () => number;
  kills = 0;
  moves = 0;

  constructor(base: string, options: SoakOptions) {
    this.#base = base;
    this.#options = options;
    this.#random = randomOf(options.seed);
  }

  async run(main: Side, other: Side, seconds: number): Promise<void> {
    const { kills, moves, onProgress } = this.#options;
    const slotMs = (seconds * 1000) / (kills + moves);
    const every = Math.max(1, Math.floor((kills + moves) / Math.max(1, moves)));
    for (let event = 0; event < kills + moves; event++) {
      const waitMs = this.#random() * slotMs;
      await sleep(waitMs);
      const startMs = performance.now();
      const isMove = event % every === every - 1 ? this.moves < moves : this.kills >= kills;
      if (isMove) await this.#move(main, other);
      else await this.#kill(main);
      onProgress(
        `${isMove ? `move ${this.moves}` : `kill ${this.kills}`}: ${main.oracle.accepted.size} accepted, ${main.oracle.ended.size} over, ${main.broker.memoryMiB()?.toFixed(0) ?? '–'} MiB`,
      );
      await sleep(Math.max(0, slotMs - waitMs - (performance.now() - startMs)));
    }
  }

  async #kill({ broker }: Side): Promise<void> {
    this.kills++;
    await broker.kill();
  }

  /** In turns: away for a moment and back, and in the place of another folder whose broker runs. */
  async #move(main: Side, other: Side): Promise<void> {
    const [here, there, between] = ['main', 'other', 'away'].map((name) => join(this.#base, name));
    const [a = '', b = '', away = ''] = [here, there, between];
    const isSwap = this.moves++ % 2 === 1;
    const gapMs = this.#random() * awayMsMax;
    await main.broker.departs();
    if (!isSwap) {
      renameSync(a, away);
      await sleep(gapMs);
      renameSync(away, a);
      main.broker.arrived(a);
      return;
    }
    const swap = async (mainAt: string, otherAt: string): Promise<void> => {
      await other.broker.departs();
      renameSync(a, away);
      renameSync(b, a);
      renameSync(away, b);
      // Each has another's folder at its path: it must go, however long that takes on this machine.
      await Promise.all([main, other].map(({ broker }) => broker.hasLeft()));
      main.broker.arrived(mainAt);
      other.broker.arrived(otherAt);
    };
    await swap(b, a);
    await sleep(gapMs + awayMsMax);
    await main.broker.departs();
    await swap(a, b);
  }
}

/** @throws Error when load cannot even begin, or never comes to an end */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const base = await mkdtemp(join(tmpdir(), 'aiq-soak-'));
  const main = new Side(join(base, 'main'));
  const other = new Side(join(base, 'other'));
  try {
    return await run(base, main, other, options);
  } finally {
    await main.close();
    await other.close();
    await rm(base, { recursive: true, force: true });
  }
}

async function run(
  base: string,
  main: Side,
  other: Side,
  options: SoakOptions,
): Promise<SoakReport> {
  const stop = new AbortController();
  const { seconds, seed } = options;
  const watcher = await main.open('watcher');
  await watcher.configureQueue(queueName, { jobsMax: 0, bytesMax: 0, keepMs: 0, keepJobs });
  const loads = await main.loads(producers + consumers, stop.signal);
  const consuming = await Promise.all(loads.slice(producers).map(consume));
  const working = [
    ...loads.slice(0, producers).map(produce),
    ...(await extrasOf(main, seed, stop.signal)).flatMap((extras) =>
      [purges, clearing, blobs, looks, slowReader, deafReader, silentPeer].map((work) =>
        work(extras),
      ),
    ),
    ...(await extrasOf(other, seed + 1, stop.signal)).map(purges),
  ];
  const unrest = new Unrest(base, options);
  await unrest.run(main, other, seconds * unrestShare);
  await sleep(seconds * (0.5 - unrestShare) * 1000);
  const memoryMiB = await watchMemory(main.broker, seconds / 2, options);
  stop.abort();
  await Promise.all(working);
  const problems = await drain(watcher, main);
  for (const consumer of consuming) await consumer.close();
  await sleep(restMs);
  const { logBytes, logLiveBytes } = await watcher.engineStats();
  if (logBytes > 2 * logLiveBytes + 2 * segmentBytes) {
    problems.push(`the log has ${logBytes} bytes at rest, ${logLiveBytes} of them needed`);
  }
  const before = main.broker.logFiles();
  await sleep(watchMs);
  const after = main.broker.logFiles();
  if (before !== after) problems.push(`the log is still written: ${before} became ${after}`);
  const { kills, moves } = unrest;
  const { left, starts } = main.broker;
  const accepted = main.oracle.accepted.size + main.promises.acceptedCount;
  const acked = main.oracle.heard.acked;
  const rest = { kills, moves, left: left + other.broker.left, starts, memoryMiB };
  const all = [...problems, ...main.problems, ...other.problems];
  return { accepted, acked, ...rest, logBytes, logLiveBytes, problems: all };
}

async function extrasOf(side: Side, seed: number, stop: AbortSignal): Promise<[Extras]> {
  const { promises, oracle, broker } = side;
  const queue = await side.open('extras');
  return [{ queue, promises, oracle, broker, random: randomOf(seed), stop }];
}

async function watchMemory(
  broker: TendedBroker,
  seconds: number,
  { onProgress }: SoakOptions,
): Promise<SoakReport['memoryMiB']> {
  const points: Point[] = [];
  const startMs = performance.now();
  for (let samples = 0; performance.now() - startMs < seconds * 1000; samples++) {
    await sleep(sampleEveryMs);
    const mib = broker.memoryMiB();
    if (mib === null) continue;
    points.push({ x: (performance.now() - startMs) / 60_000, y: mib });
    if (samples % 60 === 59) onProgress(`left alone: ${mib.toFixed(0)} MiB`);
  }
  const memory = points.map(({ y }) => y);
  return { least: Math.min(...memory), most: Math.max(...memory), slope: slopeOf(points) };
}

/** Waits until everything that was accepted has ended; what did not is lost. */
async function drain(queue: JobQueue, { broker, oracle }: Side): Promise<string[]> {
  let open: string[] = [];
  const isOver = async (): Promise<boolean> => {
    if (broker.problems.length > 0) return true;
    open = [...oracle.accepted].filter((id) => !oracle.ended.has(id));
    const states = open.length === 0 ? new Map<string, JobState>() : await toldStates(queue);
    open = open.filter((id) => !endStates.includes(states.get(id) ?? 'none'));
    return open.length === 0;
  };
  await until('the rest to end', isOver).catch(() => undefined);
  return open.map((id) => `${id} was accepted and did not end`);
}
