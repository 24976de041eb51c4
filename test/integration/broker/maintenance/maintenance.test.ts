/** Verify, backup, restore and salvage on the folders of real brokers, running and stopped. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  backupLog,
  FolderLockedError,
  restoreLog,
  salvageLog,
  startBroker,
  verifyLog,
} from '../../../../core/broker/index.ts';
import { decodeJob, encodeJob, errorCodes } from '../../../../core/protocol/index.ts';
import { Asker, idOf, jobBytes, Place, range } from '../broker-peer.ts';
import { temporaryFolder } from '../net/peer.ts';

let place: Place;
let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  place = new Place();
  folder = temporaryFolder();
});

afterEach(async () => {
  await place.remove();
  folder.remove();
});

const inFolder = (name: string) => join(folder.path, name);

/** What a broker on the folder says of its jobs. */
async function withBroker<Result>(
  dir: string,
  work: (asker: Asker) => Promise<Result>,
): Promise<Result> {
  const broker = await startBroker({ dir, unix: true, tcp: null, idleExitMs: null });
  const asker = await Asker.open(dir, 777);
  try {
    return await work(asker);
  } finally {
    await asker.peer.close();
    await broker.stop();
  }
}

/** How a broker process ends that cannot start on the folder. */
async function exitOfStart(dir: string): Promise<number | null> {
  const main = fileURLToPath(new URL('../../../../core/broker/main.ts', import.meta.url));
  // One that can start leaves soon.
  const args = [main, '--dir', dir, '--idle-exit-ms', '500'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

/** Adds jobs from `first` on, a few at a time, until told to stop; says which were accepted. */
function keepAdding(asker: Asker, first: number) {
  const accepted: number[] = [];
  let stopped = false;
  const isStopped = () => stopped;
  const done = (async () => {
    for (let next = first; !isStopped(); next += 5) {
      const numbers = range(5).map((number) => next + number);
      await asker.enqueue(numbers);
      accepted.push(...numbers);
    }
  })();
  const stop = async (): Promise<void> => {
    stopped = true;
    await done;
  };
  return { accepted, stop };
}

test('a backup of a busy broker holds every job that was accepted before it began', async () => {
  await place.start({ segmentBytesMax: 20_000 });
  const adding = keepAdding(await place.asker(1), 10_000);
  const worker = await place.asker(2);
  await worker.enqueue(range(100), 'work');
  await worker.subscribe(1, ['work']);
  for (let round = 1; round <= 3; round++) {
    for (let count = 0; count < 5; count++) {
      const [delivery] = await worker.deliveries(1);
      if (delivery !== undefined) await worker.settle([delivery.token]);
    }
    const accepted = [...adding.accepted];
    const [backup, restored] = [inFolder(`backup-${round}`), inFolder(`restored-${round}`)];
    const { copy } = await backupLog(place.dir, backup);
    expect(copy.problems).toEqual([]);
    await restoreLog(backup, restored);
    const jobs = new Map(
      (await withBroker(restored, (asker) => asker.list())).map((job) => [job.id, job.state]),
    );
    expect(accepted.filter((number) => !jobs.has(idOf(number)))).toEqual([]);
    const done = [...jobs.values()].filter((state) => state === 'done').length;
    expect(done).toBe(round * 5);
  }
  await adding.stop();
  expect((await verifyLog(place.dir)).problems).toEqual([]);
});

/** A job whose input is most of it: what compaction frees once the job is done. */
function largeJob(number: number): Uint8Array<ArrayBuffer> {
  const body = Buffer.alloc(4000, `${number} `);
  return encodeJob({ ...decodeJob(jobBytes(number)), body }, crc32);
}

test('a log that is compacted all the while is verified and copied', async () => {
  await place.start({ segmentBytesMax: 40_000 });
  const producer = await place.asker(1);
  const worker = await place.asker(2);
  await worker.subscribe(30);
  let [number, round] = [0, 0];
  let firstOffset = 1;
  while (firstOffset === 1) {
    const jobs = range(30).map((one) => largeJob(number + one));
    await producer.ask('Enqueue', { atomic: false, jobs }, 'EnqueueOk');
    number += jobs.length;
    round += 1;
    const delivered = await worker.deliveries(jobs.length);
    await worker.settle(delivered.map(({ token }) => token));
    expect((await verifyLog(place.dir)).problems).toEqual([]);
    const { copy } = await backupLog(place.dir, inFolder(`backup-${round}`));
    expect(copy).toMatchObject({ problems: [], jobs: { live: 0, finished: number } });
    ({ firstOffset } = copy);
  }
  await restoreLog(inFolder(`backup-${round}`), inFolder('restored'));
  const jobs = await withBroker(inFolder('restored'), (asker) => asker.list());
  expect(jobs.map(({ state }) => state)).toEqual(range(number).map(() => 'done'));
});

test('after a restore no consumer of the lost broker can settle a job', async () => {
  const broker = await place.start();
  const asker = await place.asker(1);
  await asker.enqueue([1, 2]);
  await asker.subscribe(1);
  const [before] = await asker.deliveries(1);
  await backupLog(place.dir, inFolder('backup'));
  // The lost broker goes on: the second job is delivered, and the first one once more.
  await asker.settle([before!.token], 'retry');
  await asker.subscribe(2);
  const lost = (await asker.deliveries(2)).map(({ token }) => token);
  await broker.stop();

  await restoreLog(inFolder('backup'), inFolder('restored'));
  await withBroker(inFolder('restored'), async (next) => {
    expect(await next.settle(lost)).toEqual([
      errorCodes.STALE_LEASE.number,
      errorCodes.STALE_LEASE.number,
    ]);
    expect((await next.list()).map(({ state }) => state).sort()).toEqual(['leased', 'ready']);
  });
});

test('files of the lost log do not start among those of the restored one', async () => {
  const broker = await place.start({ segmentBytesMax: 2000 });
  const asker = await place.asker(1);
  for (const number of range(60)) await asker.enqueue([number]);
  await broker.stop();
  await restoreLog(place.dir, inFolder('restored'));
  const name = join('log', '0000000002.log');
  writeFileSync(join(inFolder('restored'), name), readFileSync(join(place.dir, name)));
  expect(await exitOfStart(inFolder('restored'))).toBe(65);
});

test('a broker that runs is neither restored over nor salvaged', async () => {
  await place.start();
  const asker = await place.asker(1);
  await asker.enqueue([1]);
  await backupLog(place.dir, inFolder('backup'));
  await expect(salvageLog(place.dir, inFolder('salvaged'))).rejects.toThrow(FolderLockedError);
  await expect(restoreLog(inFolder('backup'), place.dir)).rejects.toThrow('has a log already');
  expect(await asker.enqueue([2])).toEqual(['created']);
});

test('a log on which no broker starts is salvaged, and one starts on what was legible', async () => {
  const broker = await place.start({ segmentBytesMax: 2000 });
  const asker = await place.asker(1);
  for (const number of range(60)) await asker.enqueue([number]);
  await broker.stop();
  for (const name of readdirSync(join(place.dir, 'log'))) {
    if (name.endsWith('.summary')) rmSync(join(place.dir, 'log', name));
  }
  const path = join(place.dir, 'log', '0000000002.log');
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, 500, 600));
  expect(await exitOfStart(place.dir)).toBe(65);

  const { loss } = await salvageLog(place.dir, inFolder('salvaged'));
  expect(loss.lost.records).toBeGreaterThan(0);
  const jobs = await withBroker(inFolder('salvaged'), async (next) => {
    const kept = await next.list();
    // Whoever enqueues again adds what is missing, and only that.
    const outcomes = await next.enqueue(range(60));
    expect(outcomes.filter((outcome) => outcome === 'created').length).toBe(60 - kept.length);
    return kept;
  });
  expect(jobs.length).toBe(60 - loss.lost.records);
});

test('a restored log works on: jobs are delivered with their bytes, segments are summed up', async () => {
  const broker = await place.start({ segmentBytesMax: 4000 });
  const asker = await place.asker(1);
  await asker.enqueue(range(40));
  await broker.stop();
  await restoreLog(place.dir, inFolder('restored'));
  await withBroker(inFolder('restored'), async (next) => {
    await next.subscribe(40);
    const delivered = await next.deliveries(40);
    const bytes = delivered.map(({ job }) => Buffer.from(job).toString('hex')).sort();
    expect(bytes).toEqual(
      range(40)
        .map((number) => Buffer.from(jobBytes(number)).toString('hex'))
        .sort(),
    );
    expect(await next.settle(delivered.map(({ token }) => token))).toEqual(range(40).map(() => 0));
  });
  expect(await verifyLog(inFolder('restored'))).toMatchObject({
    clean: true,
    jobs: { live: 0, dead: 0, finished: 40 },
    problems: [],
  });
});
