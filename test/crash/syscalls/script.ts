/**
 * A broker's life on tiny segments, from the first file to the last: append, rotate, settle, compact,
 * stop, recover. Run as a process of its own on a folder, it prints what it was answered, line by
 * line; another process kills it somewhere and compares.
 */

import { writeSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type RunningBroker, startBroker } from '../../../core/broker/index.ts';
import {
  type Consumer,
  type Job,
  type JobInfo,
  type JobQueue,
  type LeasedJob,
  newJob,
  openQueue,
} from '../../../core/job-queue/index.ts';
import { problemOfLogAtRest } from '../../support/log/log-rest.ts';
import { patienceMs } from '../../support/patience.ts';

const queueName = 'script';
const segmentBytesMax = 8 * 1024;
const batches = 10;
const batchJobs = 3;
/** Most of what a job takes, so that finished ones leave something to compact away. */
const textBytes = 2_000;
/** Every fifth job stays unfinished, so that compaction has something to carry along. */
const keptEvery = 5;

/** Job number n of a life, the same in every run. */
export function scriptedJob(life: string, number: number): Job {
  const input = { life, number, text: `${life} ${number} `.padEnd(textBytes, '.') };
  return newJob({
    agent: 'a',
    agentDigest: 'ab'.repeat(32),
    queue: queueName,
    input,
    source: `${life}-${number}`,
    createdAtMs: 1,
  });
}

/** The broker of the script, on a folder that may hold anything that a kill left. */
async function openScripted(dir: string): Promise<{ broker: RunningBroker; queue: JobQueue }> {
  const broker = await startBroker({
    dir,
    unix: true,
    tcp: null,
    ioThreads: 1,
    idleExitMs: null,
    segmentBytesMax,
    // It only reads the log, and would make the runs longer.
    history: false,
  });
  const address = `unix:${join(dir, 'broker.sock')}`;
  const queue = await openQueue({ broker: address, tokenFile: null, clientName: 'script' });
  return { broker, queue };
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function enqueue(queue: JobQueue, life: string, first: number): Promise<void> {
  const jobs = Array.from({ length: batchJobs }, (_, index) => scriptedJob(life, first + index));
  for (const { id } of await queue.enqueue(jobs)) say(`accepted ${id}`);
}

/** Acknowledges what comes until so many jobs are done; every fifth one is put off for long. */
async function workOff(queue: JobQueue, count: number): Promise<void> {
  const finished = Promise.withResolvers<void>();
  let settledCount = 0;
  const consumer = await queue.consume({
    queues: [queueName],
    credit: 4,
    onDelivery: (leased) => {
      settle(consumer, leased).then(
        () => ++settledCount === count && finished.resolve(),
        finished.reject,
      );
    },
    onLeaseLost: () => undefined,
  });
  await finished.promise;
  await consumer.close();
}

async function settle(consumer: Consumer, leased: LeasedJob): Promise<void> {
  if (Number(leased.job.source.split('-')[1]) % keptEvery === 0) {
    await consumer.settle(leased, { outcome: 'returned', errorCode: 'later', delayMs: 3_600_000 });
    return;
  }
  const settled = await consumer.settle(leased, { outcome: 'ack' });
  if (settled.ok) say(`done ${leased.job.id}`);
}

/** Until compaction has removed what it can. */
async function compacted(queue: JobQueue, dir: string): Promise<void> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const { logLiveBytes: liveBytes } = await queue.engineStats();
    const segmentBytes = await segmentBytesOf(join(dir, 'log'));
    const problem = problemOfLogAtRest({
      segmentBytes,
      segmentBytesMax,
      liveBytes,
      isAtRest: true,
    });
    if (problem === null) return;
    if (performance.now() > endMs) throw new Error(problem);
    await sleep(10);
  }
}

/** One that goes meanwhile has no bytes. */
async function segmentBytesOf(folder: string): Promise<number[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  const sizeOf = (name: string) => stat(join(folder, name)).then(({ size }) => size);
  return await Promise.all(names.map((name) => sizeOf(name).catch(() => 0)));
}

async function live(dir: string, life: string): Promise<void> {
  const { broker, queue } = await openScripted(dir);
  for (let batch = 0; batch < batches; batch++) await enqueue(queue, life, batch * batchJobs);
  await workOff(queue, batches * batchJobs);
  await compacted(queue, dir);
  await enqueue(queue, life, batches * batchJobs);
  await queue.close();
  await broker.stop();
}

/** Recovers, adds a little and stops. */
async function liveShortly(dir: string, life: string): Promise<void> {
  const { broker, queue } = await openScripted(dir);
  await enqueue(queue, life, 0);
  await queue.close();
  await broker.stop();
}

/** A job as a recovered broker tells it, its body included where it still has that. */
export interface FoundJob {
  readonly info: JobInfo;
  readonly body: string;
}

/** Recovers, and says each job as JSON. */
async function tell(dir: string): Promise<void> {
  const { broker, queue } = await openScripted(dir);
  for (const info of (await queue.list({ queue: queueName, limit: 1000 })).jobs) {
    const [inspected] = await queue.inspect(info.id, { withJob: true });
    const body = Buffer.from(inspected?.job?.body ?? []).toString();
    say(JSON.stringify({ info, body } satisfies FoundJob));
  }
  await queue.close();
  await broker.stop();
}

/** `script.ts whole|short|found DIR LIFE` */
const [, script, what, dir, life] = process.argv;
if (script !== undefined && import.meta.url === pathToFileURL(script).href) {
  if (dir === undefined || life === undefined) throw new Error('usage: whole|short|found DIR LIFE');
  if (what === 'found') await tell(dir);
  else if (what === 'whole') {
    await live(dir, life);
    await liveShortly(dir, `${life}b`);
  } else await liveShortly(dir, life);
  say('end');
}
