/**
 * A disk that is really full: a small tmpfs, and a limit on the size of files. While it is full, what
 * runs can be settled and nothing is bought; nothing is lost; with room again, work goes on.
 */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest';
import {
  type Consumer,
  type Enqueued,
  type JobQueue,
  type LeasedJob,
  newJob,
  openQueue,
} from '../../core/job-queue/index.ts';
import { until } from '../support/project.ts';
import { canLimit, canMount, PoorBroker } from './disk-full-broker.ts';

const mib = 1024 * 1024;
const diskBytes = 16 * mib;
const fillerBytes = 6 * mib;
const textBytes = 32 * 1024;
const batchJobs = 8;
const held = 8;
/** Far more than the disk holds: a broker that never refuses fails here. */
const jobsMax = (2 * diskBytes) / textBytes;
/** Requests that go back and forth while nothing may be delivered. */
const roundTrips = 50;

let base: string;
let broker: PoorBroker;
let queue: JobQueue;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'aiq-full-'));
  onTestFailed(() => console.log(broker.said));
});

afterEach(async () => {
  await queue.close();
  await broker.kill();
  await rm(base, { recursive: true, force: true });
});

function jobsFrom(first: number) {
  return Array.from({ length: batchJobs }, (_, index) => {
    const number = first + index;
    const input = { number, text: `${number} `.padEnd(textBytes, '.') };
    return newJob({ agent: 'a', agentDigest: 'ab'.repeat(32), queue: 'a', input });
  });
}

const connect = (connectDeadlineMs = 10_000): Promise<JobQueue> =>
  openQueue({ broker: broker.address, tokenFile: null, clientName: 'full', connectDeadlineMs });

/** Enqueues until the first refusal; returns the ids of what was accepted, in order. */
async function fill(): Promise<{ accepted: string[]; refused: Enqueued[] }> {
  const accepted: string[] = [];
  for (let first = 0; first < jobsMax; first += batchJobs) {
    const answers = await queue.enqueue(jobsFrom(first));
    for (const { id, outcome } of answers) if (outcome !== 'refused') accepted.push(id);
    const refused = answers.filter(({ outcome }) => outcome === 'refused');
    if (refused.length > 0) return { accepted, refused };
  }
  throw new Error(`the disk took ${jobsMax} jobs and was never full`);
}

/** A consumer that only collects what it is given. */
async function collect(): Promise<{ consumer: Consumer; leased: LeasedJob[] }> {
  const leased: LeasedJob[] = [];
  const consumer = await queue.consume({
    queues: ['a'],
    credit: held,
    onDelivery: (job) => leased.push(job),
    onLeaseLost: (job, code) => {
      throw new Error(`lost the lease of ${job.job.id}: ${code}`);
    },
  });
  return { consumer, leased };
}

async function states(ids: readonly string[]): Promise<Map<string, string>> {
  const found = await Promise.all(ids.map((id) => queue.inspect(id)));
  return new Map(
    found.flatMap(([job]) => (job === undefined ? [] : [[job.info.id, job.info.state]])),
  );
}

test.skipIf(!canMount)(
  'a full disk refuses new jobs, settles and keeps what it has, and goes on by itself (left out: run as root, or where users may make name spaces)',
  async () => {
    const folder = join(base, 'disk');
    await mkdir(folder);
    broker = await PoorBroker.onSmallDisk(folder, { diskBytes, fillerBytes });
    queue = await connect();
    const { consumer, leased } = await collect();
    const { accepted, refused } = await fill();
    expect(new Set(refused.map((answer) => answer.outcome === 'refused' && answer.code))).toEqual(
      new Set(['DISK_FULL']),
    );
    await until('all credit to be used', () => Promise.resolve(leased.length === held));
    expect(await queue.engineStats()).toMatchObject({ diskFull: true });

    const results = leased.map(({ job }) => Buffer.from(`made of ${job.id} `.repeat(500)));
    const settled = await Promise.all(
      leased.map((job, at) => consumer.settle(job, { outcome: 'ack', result: results[at]! })),
    );
    expect(settled).toEqual(leased.map(() => ({ ok: true, state: 'done' })));
    for (let trip = 0; trip < roundTrips; trip++) {
      expect(await queue.engineStats()).toMatchObject({ diskFull: true });
    }
    expect(leased, 'nothing is delivered, so that nothing is bought').toHaveLength(held);
    const [again] = await queue.enqueue(jobsFrom(jobsMax).slice(0, 1));
    expect(again).toMatchObject({ outcome: 'refused', code: 'DISK_FULL' });

    await rm(broker.filler);
    await until('room', async () => !(await queue.engineStats()).diskFull);
    const [later] = await queue.enqueue(jobsFrom(jobsMax).slice(0, 1));
    expect(later).toMatchObject({ outcome: 'created' });
    accepted.push(later!.id);
    for (let at = held; at < accepted.length; at++) {
      await until(`delivery ${at}`, () => Promise.resolve(leased.length > at));
      expect(await consumer.settle(leased[at]!, { outcome: 'ack' })).toMatchObject({ ok: true });
    }
    expect(leased.map(({ job }) => job.id).toSorted()).toEqual(accepted.toSorted());
    expect(await states(accepted)).toEqual(new Map(accepted.map((id) => [id, 'done'])));
    for (const [at, result] of results.entries()) {
      expect(Buffer.from((await queue.result(leased[at]!.job.id)) ?? [])).toEqual(result);
    }
    expect(broker.isRunning).toBe(true);
    console.log(
      `${diskBytes / mib} MiB of disk: ${accepted.length} jobs accepted, ${held} settled while full, none lost`,
    );
    await consumer.close();
  },
);

test.skipIf(!canLimit)(
  'a file that may not grow stops the broker, and the next one has everything that was accepted (left out: install prlimit, in the package util-linux)',
  async () => {
    const dir = join(base, '.aiq');
    broker = await PoorBroker.withFileLimit(dir, 4 * mib);
    // What is asked when the broker is gone waits that long.
    queue = await connect(1_000);
    const accepted: string[] = [];
    for (let first = 0; first < jobsMax && broker.isRunning; first += batchJobs) {
      const answers = await queue.enqueue(jobsFrom(first)).catch(() => []);
      for (const { id, outcome } of answers) if (outcome !== 'refused') accepted.push(id);
    }
    expect(await broker.ended(), broker.said).toBe(74);
    expect(accepted.length).toBeGreaterThan(held);
    await queue.close();
    broker = await PoorBroker.withFileLimit(dir, null);
    queue = await connect();
    const found = await states(accepted);
    expect(found).toEqual(new Map(accepted.map((id) => [id, 'ready'])));
    expect(await queue.enqueue(jobsFrom(jobsMax))).toHaveLength(batchJobs);
  },
);
