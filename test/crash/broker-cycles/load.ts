/**
 * The load on a broker that is being killed: producers that repeat what was not answered, consumers
 * that settle in every way, and jobs of every kind that the port knows.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Consumer,
  type Job,
  type JobQueue,
  type JobState,
  type JobTerms,
  type LeasedJob,
  newJob,
  readJobBody,
  type Settle,
} from '../../../core/job-queue/index.ts';
import type { ClientOracle } from '../../oracle/client-oracle.ts';

export const queueName = 'cycles';
const credit = 32;
/** More unfinished jobs than this, and the producers wait: the end would take too long. */
const backlogMax = 3_000;
const bigBytes = 100 * 1024;
const callHash = new Uint8Array(32).fill(7);

/** What happens to a job; the list is walked in turns, so a plain one comes most often. */
export const kinds = [
  ...(['plain', 'highest', 'plain', 'lowest', 'delayed', 'tagged', 'plain', 'retried'] as const),
  ...(['throttled', 'plain', 'returned', 'final', 'plain', 'followed', 'journaled'] as const),
  ...([
    'result',
    'parked',
    'plain',
    'parkedLater',
    'expired',
    'plain',
    'big',
    'cancelled',
  ] as const),
];
export type Kind = (typeof kinds)[number];

/** One side of the load: its connection, what was answered, and when to stop. */
export interface Load {
  readonly queue: JobQueue;
  readonly oracle: ClientOracle;
  readonly stop: AbortSignal;
  /** Of this process, so that jobs of a resumed run are new ones. */
  readonly life: string;
  /** What happens to its jobs; all there is unless it is given. */
  readonly kinds?: readonly Kind[];
  /** Between two batches of a producer; hardly anything unless it is given. */
  readonly pauseMs?: number;
  /** Jobs of a batch; from 1 to 20 unless it is given. */
  readonly batchJobs?: number;
  /** Least length of a job's text. */
  readonly textBytes?: number;
}

/** Calls at once, jobs of a call in bulk, and bytes of a job, as `npm run bench -- peers` has them. */
const bench = { calls: 64, batchJobs: 250, textBytes: 960 };

/** The first producer makes a call for each job, as many at once as the bench; others enqueue in bulk. */
export async function produceAsBench(load: Load, producer: number): Promise<void> {
  const { calls, batchJobs, textBytes } = bench;
  const plain: Load = { ...load, kinds: ['plain'], textBytes };
  if (producer > 0) return await produce({ ...plain, batchJobs }, producer);
  const lanes = Array.from({ length: calls }, (_, lane) => `${producer}.${lane}`);
  await Promise.all(lanes.map((lane) => produce({ ...plain, batchJobs: 1 }, lane)));
}

interface Input {
  readonly kind: Kind | 'followUp';
  readonly name: string;
  readonly text: string;
}

function jobOf(kind: Input['kind'], name: string, terms: JobTerms = {}, textBytes = 0): Job {
  const text = name.padEnd(kind === 'big' ? bigBytes : textBytes, '.');
  const input: Input = { kind, name, text };
  return newJob({ agent: 'a', agentDigest: 'ab'.repeat(32), queue: queueName, input, ...terms });
}

/** How the kinds differ as they are enqueued; the others differ in how they are settled. */
const termsOf: Partial<Record<Kind, (name: string) => JobTerms>> = {
  highest: () => ({ priority: 'highest' }),
  lowest: () => ({ priority: 'lowest' }),
  delayed: () => ({ delayMs: 100 }),
  tagged: (name) => ({ tags: ['one', name] }),
  parked: (name) => ({ parkKey: name }),
  expired: () => ({ expiresAtMs: Date.now() - 1_000 }),
};

/** Enqueues batches until told to stop; a batch without an answer is sent again, as users do. */
export async function produce(load: Load, producer: number | string): Promise<void> {
  const { oracle, life, kinds: wanted = kinds, textBytes } = load;
  for (let batch = 0; !isStopped(load); batch++) {
    const size = load.batchJobs ?? 1 + (batch % 20);
    const made = Array.from({ length: size }, (_, index) => {
      const kind = wanted[(batch * 7 + index) % wanted.length] ?? 'plain';
      const name = `${life}-${producer}-${batch}-${index}`;
      return { kind, name, job: jobOf(kind, name, termsOf[kind]?.(name), textBytes) };
    });
    for (const { kind, job } of made) expectOf(kind, job, oracle);
    const accepted = await untilAnswered(load, () =>
      load.queue.enqueue(made.map(({ job }) => job)),
    );
    for (const answer of accepted ?? []) {
      if (answer.outcome === 'refused')
        oracle.violated(`refused: ${answer.code} ${answer.message}`);
      else oracle.wasAccepted(answer.id);
    }
    if (accepted !== null) for (const each of made) await goOn(load, each);
    do await sleep(load.pauseMs ?? 1);
    while (oracle.backlog > backlogMax && !isStopped(load));
  }
}

function isStopped({ stop }: Load): boolean {
  return stop.aborted;
}

/** Said before the request is sent, so that no delivery can come before it. */
function expectOf(kind: Kind, { id, delayMs }: Job, oracle: ClientOracle): void {
  if (kind === 'delayed') oracle.notBeforeMs.set(id, performance.now() + delayMs - 2);
  if (kind === 'parked') oracle.notBeforeMs.set(id, Number.POSITIVE_INFINITY);
  if (kind === 'expired') oracle.endsUnheard(id);
}

/** What its producer does with an accepted job. */
async function goOn(load: Load, { kind, name, job }: { kind: Kind; name: string; job: Job }) {
  const { queue, oracle } = load;
  if (kind === 'parked') await signal(load, name, job.id);
  if (kind === 'cancelled') {
    const [settled] = (await untilAnswered(load, () => queue.cancel([job.id]))) ?? [];
    if (settled?.ok === true) oracle.isIn(job.id, settled.state);
    else await lookUp(load, job.id);
  }
}

/** It is over: by a cancel whose answer was lost, or because it was done before. */
async function lookUp(load: Load, id: string): Promise<void> {
  const [found] = (await untilAnswered(load, () => load.queue.inspect(id))) ?? [];
  if (found !== undefined) load.oracle.isIn(id, found.info.state);
}

/** Also when the load has stopped: a job that stays parked would never end. */
async function signal({ queue, oracle }: Load, key: string, id: string): Promise<void> {
  oracle.notBeforeMs.delete(id);
  while ((await queue.signal(key).catch(() => null)) === null) await sleep(20);
}

/** Repeats a request until an answer comes; null when the load stopped before. */
async function untilAnswered<T>(load: Load, ask: () => Promise<T>): Promise<T | null> {
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null || isStopped(load)) return answer;
  }
}

/** Settles what is delivered, each job as its kind says. */
export async function consume(load: Load): Promise<Consumer> {
  const { queue, oracle } = load;
  const opened = Promise.withResolvers<Consumer>();
  const work = async (leased: LeasedJob, isFirst: boolean): Promise<void> => {
    const consumer = await opened.promise;
    const { kind, name, text } = readJobBody(leased.job).input as Input;
    if (kind === 'big' && text !== name.padEnd(bigBytes, '.')) {
      oracle.violated(`${leased.job.id} has another body`);
    }
    if (kind === 'journaled') await journal(load, consumer, leased);
    const settle = settleOf(kind, name, { leased, isFirst, oracle });
    // A settle rejects only when the consumer is closed, at the end.
    const settled = await consumer.settle(leased, settle).catch(() => null);
    if (settled === null) return;
    oracle.wasSettled(leased, settle.outcome, settled);
    if (!settled.ok) return;
    for (const { id } of settle.enqueue ?? []) oracle.wasAccepted(id);
    if (settle.park !== undefined) await signal(load, settle.park, leased.job.id);
  };
  const consumer = await queue.consume({
    queues: [queueName],
    credit,
    onDelivery: (leased) => {
      const isFirst = !oracle.wasDeliveredBefore(leased.job.id);
      oracle.wasDelivered(leased);
      work(leased, isFirst).catch((error: unknown) => oracle.violated(String(error)));
    },
    onLeaseLost: () => undefined,
  });
  opened.resolve(consumer);
  return consumer;
}

/** Puts a value of this delivery: the first one ever answered must be what stands. */
async function journal({ oracle }: Load, consumer: Consumer, leased: LeasedJob): Promise<void> {
  const { token, job } = leased;
  const value = new TextEncoder().encode(`${token.epoch}.${token.delivery}`);
  const stands = await consumer.journalPut(leased, callHash, value).catch(() => null);
  if (stands !== null) oracle.journalStands(job.id, new TextDecoder().decode(stands));
}

interface Delivery {
  readonly leased: LeasedJob;
  /** The first that this process saw of the job. */
  readonly isFirst: boolean;
  readonly oracle: ClientOracle;
}

function settleOf(kind: Input['kind'], name: string, delivery: Delivery): Settle {
  const { leased, isFirst, oracle } = delivery;
  const errorCode = 'crash_test';
  if (kind === 'retried' && leased.attempt === 1)
    return { outcome: 'retry', errorCode, delayMs: 10 };
  if (kind === 'final') return { outcome: 'final', errorCode };
  if (kind === 'followed') {
    const followUp = jobOf('followUp', name);
    oracle.hasFollowUp(leased.job.id, followUp.id);
    return { outcome: 'ack', enqueue: [followUp] };
  }
  if (kind === 'result') return { outcome: 'ack', result: new TextEncoder().encode(name) };
  if (!isFirst) return { outcome: 'ack' };
  if (kind === 'throttled' || kind === 'returned') return { outcome: kind, errorCode, delayMs: 5 };
  if (kind === 'parkedLater') return { outcome: 'returned', errorCode, park: name };
  return { outcome: 'ack' };
}

/** All jobs that the broker tells of, with the states that they are in. */
export async function toldStates(queue: JobQueue): Promise<Map<string, JobState>> {
  const states = new Map<string, JobState>();
  for (let before: number | null = 0; before !== null; ) {
    const page = await queue.list({ queue: queueName, before, limit: 1_000 });
    for (const { id, state } of page.jobs) states.set(id, state);
    before = page.next;
  }
  return states;
}
