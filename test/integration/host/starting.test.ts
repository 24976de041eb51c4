/**
 * Waiting for a broker that recovers its log: for as long as its process lives, however long that is, and
 * with word of how far it is. The recovery is this test's own, so that it ends when enough was counted.
 */

import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HeldFolder } from '../../../core/broker/folder/held-folder.ts';
import { StartProgress } from '../../../core/broker/folder/start-progress.ts';
import { type RunningBroker, startBroker } from '../../../core/broker/index.ts';
import { openLog } from '../../../core/broker/log/open.ts';
import {
  brokerStatus,
  ensureBroker,
  type SpawnBroker,
  spawnBroker,
  stopBroker,
} from '../../../core/host/index.ts';
import { openQueue } from '../../../core/job-queue/index.ts';
import { keepAll } from '../../support/log/log-harness.ts';

let base: string;
let dir: string;
let held: HeldFolder | null;
let broker: RunningBroker | null;

beforeEach(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-starting-'));
  dir = path.join(base, 'broker');
  held = null;
  broker = null;
});

afterEach(async () => {
  held?.release();
  await broker?.stop();
  await stopBroker(dir);
  await fs.rm(base, { recursive: true, force: true });
});

/** This process takes the folder and says that it recovers, as a broker does at its start. */
function beginRecovery(): StartProgress {
  held = HeldFolder.take(dir);
  return new StartProgress(held, () => undefined);
}

/** It serves at last. */
async function serve(progress: StartProgress): Promise<void> {
  progress.end();
  held?.release();
  broker = await startBroker({ dir, unix: true, tcp: null, idleExitMs: null });
}

/** Longer than whoever waits would have patience for without word from the broker. */
const deadlineMs = 150;
const looks = 12;

/** Counts what whoever waits is told; `enough` resolves after so many, and some deadlines. */
function countingTo(count: number) {
  const told: string[] = [];
  const beganAtMs = performance.now();
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const onWait = (text: string): void => {
    told.push(text);
    if (told.length >= count && performance.now() - beganAtMs > 4 * deadlineMs) resolve();
  };
  return { told, onWait, enough };
}

test('one that somebody else started is waited for beyond every deadline, and nothing is started', async () => {
  const progress = beginRecovery();
  const { told, onWait, enough } = countingTo(looks);
  const serving = enough.then(() => serve(progress));
  let starts = 0;
  const spawn: SpawnBroker = () => {
    starts += 1;
    return { pid: null, ending: null, reason: () => '' };
  };
  const endpoint = await ensureBroker({ dir, spawn, deadlineMs, onWait });
  await serving;
  expect(endpoint).toMatchObject({ unix: path.join(dir, 'broker.sock') });
  expect(starts).toBe(0);
  expect(told[0]).toBe(
    `the broker of ${dir} (process ${process.pid}) is starting: 0 % of its log recovered, 0 jobs so far`,
  );
});

test('one that cannot be seen, as in another container, is waited for while it has the lock', async () => {
  const progress = beginRecovery();
  const file = path.join(dir, 'starting.json');
  const unseen = { ...JSON.parse(readFileSync(file, 'utf8')), pid: 2 ** 30 } as object;
  await fs.writeFile(file, JSON.stringify(unseen));
  const { onWait, enough } = countingTo(looks);
  const serving = enough.then(() => serve(progress));
  // A real process asks for the lock, and leaves.
  const first = spawnBroker(dir);
  while (first.ending === null) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(first.ending).toEqual({ code: 75 });
  await ensureBroker({ dir, spawn: () => first, deadlineMs, onWait });
  await serving;
});

test('requests wait with it, whatever their deadline, and the caller is told', async () => {
  const connectDeadlineMs = 2_000;
  const progress = beginRecovery();
  const told: string[] = [];
  const common = { tokenFile: null, clientName: 'test', connectDeadlineMs };
  const onNotice = (text: string): number => told.push(text);
  const opening = [`file:${dir}`, `unix:${path.join(dir, 'broker.sock')}`].map((address) =>
    openQueue({ ...common, broker: address, onNotice }),
  );
  const beganAtMs = performance.now();
  while (told.length < 2 || performance.now() - beganAtMs < 1.5 * connectDeadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await serve(progress);
  for (const queue of await Promise.all(opening)) {
    expect((await queue.engineStats()).pid).toBe(process.pid);
    await queue.close();
  }
  expect(told.every((text) => text.includes('is starting'))).toBe(true);
});

test('one that was killed while it recovered is not waited for', async () => {
  const progress = beginRecovery();
  const file = path.join(dir, 'starting.json');
  const left = readFileSync(file, 'utf8');
  progress.end();
  held?.release();
  await fs.writeFile(file, left.replace(/"processStart":"\d+"/, '"processStart":"1"'));
  expect(await brokerStatus(dir)).toEqual({ running: false });
  expect(await stopBroker(dir)).toBe('not running');
  await ensureBroker({ dir, spawn: spawnBroker });
  expect(await brokerStatus(dir)).toMatchObject({ running: true });
  await expect(fs.readFile(file)).rejects.toThrow('ENOENT');
});

test('is told by the status', async () => {
  const progress = beginRecovery();
  const expected = { running: false, starting: { pid: process.pid, percent: 0, jobs: 0 } };
  expect(await brokerStatus(dir)).toMatchObject(expected);
  progress.end();
  expect(await brokerStatus(dir)).toEqual({ running: false });
});

test('recovery tells how far it is, segment by segment', async () => {
  const told: [number, number][] = [];
  const options = {
    dir: path.join(base, 'log'),
    segmentBytesMax: 1000,
    summarize: keepAll,
    onDurable: () => undefined,
    onProblem: () => undefined,
    onFailure: (error: Error) => {
      throw error;
    },
  };
  const replay = {
    begin: () => undefined,
    record: () => undefined,
    progress: (done: number, total: number) => told.push([done, total]),
  };
  const { log } = await openLog(options, replay);
  for (let record = 0; record < 5; record++) {
    log.append(Buffer.alloc(800));
    while (log.durableOffset <= record) await new Promise(setImmediate);
  }
  await log.close();
  expect(told).toEqual([]);
  const { log: again, report } = await openLog(options, replay);
  await again.close();
  expect(told).toEqual(
    Array.from({ length: report.segments }, (_, done) => [done, report.segments]),
  );
  expect(report.segments).toBeGreaterThan(4);
});
