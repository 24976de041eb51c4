/** The port over the built-in broker, with the real broker process behind it. */

import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readEndpoints } from '../../../core/host/index.ts';
import {
  type Consumer,
  type Job,
  type JobIdentity,
  type JobQueue,
  type LeasedJob,
  newJob,
  openQueue,
  readJobBody,
} from '../../../core/job-queue/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import { brokerFolder } from '../../support/servers/broker-folder.ts';
import { codeOf } from '../../support/servers/fake-broker.ts';

const folder = brokerFolder();

function job(input: unknown, identity?: JobIdentity): Job {
  return newJob({ agent: 'a', queue: 'a', agentDigest: 'ab'.repeat(32), input, identity });
}

interface Worker {
  readonly consumer: Consumer;
  readonly taken: LeasedJob[];
  readonly lost: [LeasedJob, string][];
  /** Waits until it was given this many jobs in all. */
  readonly has: (count: number) => Promise<void>;
}

async function work(queue: JobQueue, credit: number): Promise<Worker> {
  const taken: LeasedJob[] = [];
  const lost: [LeasedJob, string][] = [];
  const consumer = await queue.consume({
    queues: ['a'],
    credit,
    onDelivery: (leased) => taken.push(leased),
    onLeaseLost: (leased, code) => lost.push([leased, code]),
  });
  closeAfterTest(consumer);
  const has = async (count: number): Promise<void> => {
    while (taken.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { consumer, taken, lost, has };
}

async function killBroker(): Promise<number> {
  const endpoints = await readEndpoints(folder.dir);
  if (endpoints === null) throw new Error('no broker runs');
  process.kill(endpoints.pid, 'SIGKILL');
  return endpoints.pid;
}

test('a job goes from enqueue over a lease to done, and whoever waits hears of it', async () => {
  const queue = await folder.open();
  const article = job({ text: 'hello' });
  expect(await queue.enqueue([article])).toEqual([
    { id: article.id, outcome: 'created', state: 'ready' },
  ]);
  const waiting = queue.wait(article.id);
  const { consumer, taken, has } = await work(queue, 1);
  await has(1);
  const [leased] = taken as [LeasedJob];
  expect(leased).toMatchObject({ attempt: 1, crashes: 0, isolated: false });
  expect(readJobBody(leased.job)).toEqual({ input: { text: 'hello' }, outputDir: null });
  const note = '{"files":["out/x.md"]}';
  expect(await consumer.settle(leased, { outcome: 'ack', note })).toEqual({
    ok: true,
    state: 'done',
  });
  expect(await waiting).toMatchObject({ id: article.id, state: 'done', note });
  expect(await consumer.settle(leased, { outcome: 'ack', note })).toMatchObject({ ok: true });
  expect(await queue.enqueue([article])).toMatchObject([{ outcome: 'exists', state: 'done' }]);
});

test('the same key with another input is a conflict', async () => {
  const queue = await folder.open();
  const identity = { key: 'monday' };
  await queue.enqueue([job({ text: 'one' }, identity)]);
  expect(await queue.enqueue([job({ text: 'two' }, identity)])).toMatchObject([
    { outcome: 'refused', code: 'CONFLICT' },
  ]);
});

test('jobs can be listed page by page, found by prefix, cancelled and retried', async () => {
  const queue = await folder.open();
  const jobs = [1, 2, 3].map((index) => job({ index }));
  await queue.enqueue(jobs);
  const page = await queue.list({ limit: 2 });
  const rest = await queue.list({ limit: 2, before: page.next ?? 0 });
  const listed = [...page.jobs, ...rest.jobs].map(({ id }) => id);
  expect(new Set(listed)).toEqual(new Set(jobs.map(({ id }) => id)));
  expect(rest.next).toBeNull();
  const [first] = jobs as [Job];
  const [found] = await queue.inspect(first.id.slice(0, 12), { withJob: true });
  expect(found?.job?.body).toEqual(first.body);
  expect(await queue.cancel([first.id, '0'.repeat(26)])).toMatchObject([
    { ok: true, state: 'cancelled' },
    { ok: false, code: 'NOT_FOUND' },
  ]);
  expect(await queue.retry([first.id])).toMatchObject([{ ok: false, code: 'BAD_STATE' }]);
  const [counts] = (await queue.stats(['a'])).queues;
  expect(counts).toMatchObject({ ready: 2, cancelled: 1 });
});

test('kill -9 of the broker: the consumer starts the next one and keeps every lease', async () => {
  const queue = await folder.open();
  await queue.enqueue(Array.from({ length: 16 }, (_, index) => job({ index })));
  const { consumer, taken, lost, has } = await work(queue, 16);
  await has(16);
  const killed = await killBroker();
  const settled = await Promise.all(
    taken.map((leased) => consumer.settle(leased, { outcome: 'ack' })),
  );
  expect(settled.every(({ ok }) => ok)).toBe(true);
  const stats = await queue.engineStats();
  expect(stats.pid).not.toBe(killed);
  expect(stats.queues).toMatchObject([{ done: 16, ready: 0, leased: 0 }]);
  expect(taken).toHaveLength(16);
  expect(lost).toEqual([]);
});

test('kill -9 of the broker in the middle of a large enqueue loses and doubles nothing', async () => {
  const queue = await folder.open();
  const jobs = Array.from({ length: 5_000 }, (_, index) => job({ index }));
  const enqueued = queue.enqueue(jobs);
  for (const delayMs of [5, 20, 40]) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await killBroker();
    await queue.stats();
  }
  const answers = await enqueued;
  expect(answers.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
  expect(answers.every(({ outcome }) => outcome !== 'refused')).toBe(true);
  expect((await queue.stats()).queues).toMatchObject([{ ready: 5_000 }]);
});

test('a consumer that closes hands its jobs to the next one at once, uncharged', async () => {
  const queue = await folder.open();
  await queue.enqueue([job(1), job(2)]);
  const first = await work(queue, 2);
  await first.has(2);
  await first.consumer.close();
  const second = await work(queue, 2);
  await second.has(2);
  expect(second.taken.map(({ attempt, crashes }) => [attempt, crashes])).toEqual([
    [1, 0],
    [1, 0],
  ]);
});

test('credit bounds the leases, and a settle makes room for the next', async () => {
  const queue = await folder.open();
  await queue.enqueue([1, 2, 3].map((index) => job({ index })));
  const { consumer, taken, has } = await work(queue, 1);
  await has(1);
  expect((await queue.stats()).queues).toMatchObject([{ ready: 2, leased: 1 }]);
  await consumer.settle(taken[0]!, { outcome: 'ack' });
  await has(2);
  consumer.setCredit(2);
  await has(3);
  expect((await queue.stats()).queues).toMatchObject([{ ready: 0, leased: 2 }]);
});

test('the holder of a cancelled job loses its lease', async () => {
  const queue = await folder.open();
  await queue.enqueue([job(1)]);
  const { consumer, taken, lost, has } = await work(queue, 1);
  await has(1);
  await queue.cancel([taken[0]!.token.id]);
  await expect.poll(() => lost.length).toBe(1);
  expect(lost.map(([leased]) => leased)).toEqual(taken);
  expect(await consumer.settle(taken[0]!, { outcome: 'ack' })).toMatchObject({
    ok: false,
    code: 'BAD_STATE',
  });
});

test('texts over the limit are cut, and a note over the limit is refused before it is sent', async () => {
  const queue = await folder.open();
  await queue.enqueue([job(1)]);
  const { consumer, taken, has } = await work(queue, 1);
  await has(1);
  const note = JSON.stringify('x'.repeat(10_000));
  expect(await codeOf(consumer.settle(taken[0]!, { outcome: 'ack', note }))).toBe('BAD_REQUEST');
  const errorMessage = 'ü'.repeat(10_000);
  const failed = { outcome: 'final', errorCode: 'c'.repeat(100), errorMessage } as const;
  expect(await consumer.settle(taken[0]!, failed)).toEqual({ ok: true, state: 'dead' });
  const [found] = await queue.inspect(taken[0]!.token.id);
  expect(found?.info.errorMessage).toBe('ü'.repeat(2048));
});

test('processes that open one folder at once share one broker, and each ends by itself', async () => {
  // Each waits for the broker process of its own that lost, so that none comes late into the folder.
  const script = `
    const [queueDoor, hostDoor, dir] = process.argv.slice(1);
    const { openQueue } = await import(queueDoor);
    const { ensureBroker, spawnBroker } = await import(hostDoor);
    const started = [];
    const spawn = (folder) => started[started.push(spawnBroker(folder)) - 1];
    await ensureBroker({ dir, spawn });
    const queue = await openQueue({ broker: 'file:' + dir, tokenFile: null, clientName: 'test' });
    const { pid } = await queue.engineStats();
    await queue.close();
    const isOver = (one) => one.ending !== null || one.pid === pid;
    while (!started.every(isOver)) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(pid);`;
  const doors = ['job-queue', 'host'].map(
    (layer) => new URL(`../../../core/${layer}/index.ts`, import.meta.url).href,
  );
  const args = ['--input-type=module', '-e', script, ...doors, folder.dir];
  const run = promisify(execFile);
  const runs = [1, 2, 3].map(() => run(process.execPath, args));
  const pids = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
  const endpoints = await readEndpoints(folder.dir);
  expect(pids).toEqual(pids.map(() => endpoints?.pid));
});

test('startBroker: false starts nothing', async () => {
  const options = { broker: `file:${folder.dir}`, tokenFile: null, clientName: 'test' };
  expect(await codeOf(openQueue({ ...options, startBroker: false }))).toBe('UNREACHABLE');
  await expect(fs.stat(folder.dir)).rejects.toThrow('ENOENT');
});

test('an address nobody answers at is UNREACHABLE when the deadline is over', async () => {
  const options = { tokenFile: null, clientName: 'test', connectDeadlineMs: 200 };
  const broker = `unix:${folder.dir}.sock`;
  expect(await codeOf(openQueue({ ...options, broker }))).toBe('UNREACHABLE');
});
