/** Full queue semantics through the port, with the real broker process behind it. */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readEndpoints, stopBroker } from '../../../core/host/index.ts';
import {
  type Consumer,
  type Job,
  type JobQueue,
  type JobTerms,
  type LeasedJob,
  newJob,
} from '../../../core/job-queue/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import { brokerFolder } from '../../support/servers/broker-folder.ts';
import { codeOf } from '../../support/servers/fake-broker.ts';

const folder = brokerFolder();

function jobOf(name: string, terms: JobTerms = {}): Job {
  return newJob({ ...terms, agent: 'a', queue: 'a', agentDigest: 'ab'.repeat(32), input: name });
}

function jobsOf(count: number, terms: JobTerms = {}): Job[] {
  return Array.from({ length: count }, (_, index) => jobOf(`job ${index}`, terms));
}

interface Worker {
  readonly consumer: Consumer;
  readonly taken: LeasedJob[];
  /** The n-th job that it was given, from 1. */
  readonly nth: (count: number) => Promise<LeasedJob>;
}

async function work(queue: JobQueue, credit = 10): Promise<Worker> {
  const taken: LeasedJob[] = [];
  const onDelivery = (leased: LeasedJob): void => void taken.push(leased);
  const onLeaseLost = (): void => undefined;
  const consumer = await queue.consume({ queues: ['a'], credit, onDelivery, onLeaseLost });
  closeAfterTest(consumer);
  const nth = async (count: number): Promise<LeasedJob> => {
    while (taken.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    return taken[count - 1] as LeasedJob;
  };
  return { consumer, taken, nth };
}

async function stateOf(queue: JobQueue, { id }: Job): Promise<string | undefined> {
  return (await queue.inspect(id))[0]?.info.state;
}

describe('the terms of a job', () => {
  test('urgent jobs go first, and each level in its order', async () => {
    const queue = await folder.open();
    const order = ['low', 'normal', 'high', 'highest', 'normal'] as const;
    await queue.enqueue(order.map((priority, at) => jobOf(`${at}`, { priority })));
    const { taken, nth } = await work(queue);
    await nth(5);
    const got = taken.map(({ job }) => Buffer.from(job.body).toString());
    expect(got.map((body) => (JSON.parse(body) as { input: string }).input)).toEqual([
      '3',
      '2',
      '1',
      '4',
      '0',
    ]);
  });

  test('a job runs when its time has come, and is dead when it is over', async () => {
    const queue = await folder.open();
    const [later, never] = [
      jobOf('later', { runAtMs: Date.now() + 150 }),
      jobOf('never', { runAtMs: Date.now() + 60_000, expiresAtMs: Date.now() + 100 }),
    ];
    const inAnHour = jobOf('in an hour', { runAtMs: Date.now() + 3_600_000 });
    const [, , delayed] = await queue.enqueue([later, never, inAnHour]);
    expect(delayed).toMatchObject({ state: 'delayed' });
    expect(await queue.wait(never.id)).toMatchObject({ state: 'dead', errorCode: 'expired' });
    const { nth } = await work(queue);
    expect((await nth(1)).job.id).toBe(later.id);
    expect(Date.now()).toBeGreaterThanOrEqual(later.runAtMs);
  });

  test('a parked job waits for its key, and no other', async () => {
    const queue = await folder.open();
    const jobs = [jobOf('one', { parkKey: 'k1' }), jobOf('two', { parkKey: 'k2' })] as const;
    const { consumer, nth } = await work(queue);
    expect(await queue.enqueue(jobs)).toMatchObject([{ state: 'parked' }, { state: 'parked' }]);
    expect(await queue.signal('k2')).toBe(1);
    const leased = await nth(1);
    expect(leased.job.id).toBe(jobs[1].id);
    const settle = { outcome: 'returned', errorCode: 'waits', park: 'k1' } as const;
    expect(await consumer.settle(leased, settle)).toEqual({ ok: true, state: 'parked' });
    await stopBroker(folder.dir);
    expect(await queue.signal('k1')).toBe(2);
    expect(await queue.signal('k1')).toBe(0);
  });

  test('tags, priority, expiry and history are told', async () => {
    const queue = await folder.open();
    const expiresAtMs = Date.now() + 3_600_000;
    const job = jobOf('one', { tags: ['mill', 'q3'], priority: 'high', expiresAtMs });
    await queue.enqueue([job]);
    const { consumer, nth } = await work(queue);
    const cause = { errorCode: 'boom', errorMessage: 'it broke' };
    await consumer.settle(await nth(1), { outcome: 'retry', ...cause });
    await consumer.settle(await nth(2), { outcome: 'ack' });
    const [found] = await queue.inspect(job.id);
    expect(found?.info).toMatchObject({ tags: ['mill', 'q3'], priority: 'high', expiresAtMs });
    expect(found?.history).toMatchObject([
      { end: 'ack', delivery: 2, errorCode: '' },
      { end: 'retry', delivery: 1, ...cause },
    ]);
  });
});

describe('an ack', () => {
  test.each([3, 100_000])('keeps a result of %i bytes, over a restart too', async (size) => {
    const queue = await folder.open();
    const job = jobOf('one');
    await queue.enqueue([job]);
    const { consumer, nth } = await work(queue);
    const leased = await nth(1);
    expect(await codeOf(queue.result(job.id))).toBe('BAD_STATE');
    const result = new Uint8Array(randomBytes(size));
    expect(await consumer.settle(leased, { outcome: 'ack', result })).toMatchObject({ ok: true });
    await stopBroker(folder.dir);
    expect(Buffer.compare((await queue.result(job.id)) ?? result.subarray(1), result)).toBe(0);
    expect((await queue.inspect(job.id))[0]?.info.resultBytes).toBe(size);
  });

  test('brings follow-up jobs with it, or nothing happens at all', async () => {
    const queue = await folder.open();
    await queue.configureQueue('a', { jobsMax: 2, bytesMax: 0, keepMs: 0, keepJobs: 0 });
    await queue.enqueue([jobOf('one')]);
    const { consumer, nth } = await work(queue, 1);
    const leased = await nth(1);
    const next = jobsOf(3);
    const refused = await consumer.settle(leased, { outcome: 'ack', enqueue: next });
    expect(refused).toMatchObject({ ok: false, code: 'QUEUE_FULL' });
    expect(await queue.inspect(next[0]?.id ?? '')).toEqual([]);
    const accepted = await consumer.settle(leased, { outcome: 'ack', enqueue: next.slice(0, 1) });
    // The client holds no lease any more once a settle was answered, whatever the answer.
    expect(accepted).toMatchObject({ ok: true, state: 'done' });
    expect((await nth(2)).job.id).toBe(next[0]?.id);
  });
});

describe('large bytes', () => {
  test('an input of 3 MiB arrives whole, and is stored once', async () => {
    const queue = await folder.open();
    const body = new Uint8Array(randomBytes(3 * 1024 * 1024));
    const [one, two] = [
      { ...jobOf('one'), body },
      { ...jobOf('two'), body },
    ] as const;
    await queue.enqueue([one]);
    const { logBytes } = await queue.engineStats();
    await queue.enqueue([two]);
    expect((await queue.engineStats()).logBytes).toBeLessThan(logBytes + 100_000);
    const { nth } = await work(queue);
    for (const count of [1, 2]) {
      expect(Buffer.compare((await nth(count)).job.body, body)).toBe(0);
    }
    const [found] = await queue.inspect(one.id, { withJob: true });
    expect(found?.info.bodyBytes).toBe(body.length);
    expect(Buffer.compare((await queue.wholeJob(found?.job ?? one)).body, body)).toBe(0);
  });

  test('an input over 64 MiB is refused, and nothing of it is stored', async () => {
    const queue = await folder.open();
    const body = new Uint8Array(64 * 1024 * 1024 + 1);
    const answers = await queue.enqueue([{ ...jobOf('one'), body }, jobOf('two')]);
    expect(answers).toMatchObject([
      { outcome: 'refused', code: 'JOB_TOO_LARGE' },
      { outcome: 'created' },
    ]);
    expect((await queue.engineStats()).logBytes).toBeLessThan(100_000);
  });

  test('kill -9 in the middle of a large input: it is there in the end, whole', async () => {
    const queue = await folder.open();
    const body = new Uint8Array(randomBytes(24 * 1024 * 1024));
    const putting = queue.putBlob(body);
    const endpoints = await readEndpoints(folder.dir);
    for (let bytes = 0; bytes < 4 * 1024 * 1024; bytes = await bytesOfLog()) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (endpoints !== null) process.kill(endpoints.pid, 'SIGKILL');
    const ref = await putting;
    expect(Buffer.compare(await queue.getBlob(ref), body)).toBe(0);
  });

  async function bytesOfLog(): Promise<number> {
    const names = await fs.readdir(path.join(folder.dir, 'log'));
    const sizes = await Promise.all(
      names.map((name) => fs.stat(path.join(folder.dir, 'log', name)).catch(() => ({ size: 0 }))),
    );
    return sizes.reduce((sum, { size }) => sum + size, 0);
  }

  test('the journal keeps what was put first, for every later delivery', async () => {
    const queue = await folder.open();
    const job = jobOf('one');
    await queue.enqueue([job]);
    const { consumer, nth } = await work(queue);
    const [first, callHash] = [await nth(1), new Uint8Array(32).fill(7)];
    const paid = new Uint8Array(randomBytes(100_000));
    expect(await queue.journalGet(job.id, callHash)).toBeNull();
    expect(Buffer.compare(await consumer.journalPut(first, callHash, paid), paid)).toBe(0);
    await consumer.settle(first, { outcome: 'retry', errorCode: 'boom' });
    const second = await nth(2);
    await stopBroker(folder.dir);
    for (const leased of [first, second]) {
      const stands = await consumer.journalPut(leased, callHash, Uint8Array.of(1));
      expect(Buffer.compare(stands, paid)).toBe(0);
    }
    await consumer.settle(second, { outcome: 'ack' });
    expect(await codeOf(consumer.journalPut(second, callHash, paid))).toBe('BAD_STATE');
  });
});

describe('operators', () => {
  test('dead jobs are retried by cause, waiting ones purged, however many', async () => {
    const queue = await folder.open();
    const jobs = jobsOf(2500);
    await queue.enqueue(jobs);
    const { consumer, taken, nth } = await work(queue, 20);
    await nth(20);
    const causes = ['timeout', 'boom'] as const;
    consumer.setCredit(0);
    await Promise.all(
      taken.map((leased, index) =>
        consumer.settle(leased, { outcome: 'final', errorCode: causes[index % 2] ?? 'boom' }),
      ),
    );
    const told: number[] = [];
    const onProgress = (touched: number): void => void told.push(touched);
    expect(await queue.purge('a', { onProgress })).toBe(2480);
    expect(told.at(-1)).toBe(2480);
    expect(told).toEqual([...told].sort((one, other) => one - other));
    expect(await queue.retryDead({ queue: 'other' })).toBe(0);
    expect(await queue.retryDead({ errorCode: 'timeout' })).toBe(10);
    const { queues } = await queue.stats(['a']);
    expect(queues).toMatchObject([{ ready: 10, dead: 10, cancelled: 2480 }]);
  });

  test('a queue is full at its own limit, and what is kept of it is told', async () => {
    const queue = await folder.open();
    const settings = { jobsMax: 2, bytesMax: 0, keepMs: 86_400_000, keepJobs: 5 };
    await queue.configureQueue('a', settings);
    const answers = await queue.enqueue(jobsOf(3));
    expect(answers).toMatchObject([
      { outcome: 'created' },
      { outcome: 'created' },
      { outcome: 'refused', code: 'QUEUE_FULL' },
    ]);
    expect((await queue.stats(['a'])).queues).toMatchObject([settings]);
  });

  test('the history is searched by tag, state and cause, page by page', async () => {
    const queue = await folder.open();
    await queue.enqueue([...jobsOf(7, { tags: ['mill'] }), jobOf('other', { tags: ['ferry'] })]);
    const { consumer, taken, nth } = await work(queue);
    await nth(8);
    const settle = { outcome: 'final', errorCode: 'boom', errorMessage: 'the dam broke' } as const;
    await Promise.all(taken.map((leased) => consumer.settle(leased, settle)));
    const { durableOffset } = await queue.engineStats();
    await expect
      .poll(async () => (await queue.engineStats()).historyOffset)
      .toBeGreaterThanOrEqual(durableOffset);
    const sources: string[] = [];
    let after: string | null = '';
    let pages = 0;
    while (after !== null) {
      const page = await queue.search({ tag: 'mill', states: ['dead'], after, limit: 3 });
      sources.push(...page.jobs.map(({ id }) => id));
      after = page.next;
      pages += 1;
    }
    expect([new Set(sources).size, sources.length, pages]).toEqual([7, 7, 3]);
    const found = await queue.search({ text: 'dam', tag: 'ferry', errorCode: 'boom' });
    expect(found.jobs).toMatchObject([{ tags: ['ferry'], state: 'dead' }]);
    expect((await queue.search({ text: 'dam', states: ['ready'] })).jobs).toEqual([]);
    expect(await stateOf(queue, jobOf('other'))).toBe('dead');
  });

  test('the broker tells of its storage', async () => {
    const queue = await folder.open();
    await queue.enqueue(jobsOf(100));
    const stats = await queue.engineStats();
    expect(stats).toMatchObject({ diskFull: false, logSegments: 1 });
    expect(stats.logLiveBytes).toBeGreaterThan(0);
    expect(stats.logLiveBytes).toBeLessThanOrEqual(stats.logBytes);
    expect(stats.diskFreeBytes).toBeGreaterThan(0);
  });
});
