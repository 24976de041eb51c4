/** Reading the log from its files: all that is durable once and in order, whatever happens to the segments. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { segmentName } from '../../../../core/broker/log/format/format.ts';
import { LogFollower, RecordsDroppedError } from '../../../../core/broker/search/log-follower.ts';
import { type DiskLog, openDiskLog } from '../../../support/log/disk-log.ts';

let dir: string;
const open: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aiq-follower-'));
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true });
});

async function newLog(segmentBytesMax?: number): Promise<DiskLog> {
  const opened = await openDiskLog(dir, segmentBytesMax);
  open.push(() => opened.log.close());
  return opened;
}

const damages: string[] = [];
function follow(logId: string, next = 1): LogFollower {
  damages.length = 0;
  const follower = new LogFollower(dir, logId, next, (text) => damages.push(text));
  open.push(() => follower.close());
  return follower;
}

/** A record that says its number, of so many bytes. */
function numbered(number: number, bytes = 16): Uint8Array {
  const record = Buffer.alloc(bytes);
  record.writeUInt32BE(number, 4);
  return record;
}

function allOf(follower: LogFollower, upTo: number): number[] {
  const found: number[] = [];
  for (let reached = 0; reached < upTo; ) {
    const portion = follower.read(upTo);
    expect(portion.upTo).toBeGreaterThan(reached);
    reached = portion.upTo;
    for (const record of portion.records) found.push(Buffer.from(record).readUInt32BE(4));
  }
  return found;
}

const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test('what is durable is read once and in order, over segments and while they grow', async () => {
  const { log, append } = await newLog(4_000);
  const follower = follow(log.id);
  let last = 0;
  for (const count of [1, 200, 3, 700, 1]) {
    await append(...numbers(last + 1, last + count).map((number) => numbered(number, 50)));
    expect(allOf(follower, log.durableOffset)).toEqual(numbers(last + 1, last + count));
    last += count;
  }
  expect(log.segments.length).toBeGreaterThan(4);
  expect(damages).toEqual([]);
});

test('it begins at any record, and stops at the one that it was given', async () => {
  const { log, append } = await newLog(2_000);
  for (let number = 1; number <= 60; number += 5) {
    await append(...numbers(number, number + 4).map((one) => numbered(one, 60)));
  }
  expect(allOf(follow(log.id, 33), 60)).toEqual(numbers(33, 60));
  const follower = follow(log.id);
  expect(allOf(follower, 35)).toEqual(numbers(1, 35));
  expect(allOf(follower, 60)).toEqual(numbers(36, 60));
});

test('a portion is bounded, but a batch larger than it comes as a whole', async () => {
  const { log, append } = await newLog(64_000_000);
  await append(
    ...numbers(1, 50).map((number) => numbered(number, 100_000)),
    numbered(51, 3_000_000),
  );
  const follower = follow(log.id);
  const first = follower.read(51);
  expect(first.upTo).toBeLessThan(12);
  expect(allOf(follower, 51)).toEqual(numbers(first.upTo + 1, 51));
});

test('marks that a restart leaves between large batches hide none of them', async () => {
  const batchBytes = [1, 600_000, 1_048_000, 1_048_400, 1_048_600, 2_000_000];
  for (const [index, bytes] of batchBytes.entries()) {
    const { log, append } = await openDiskLog(dir, 64_000_000);
    await append(numbered(2 * index + 1, 16), numbered(2 * index + 2, bytes + 16));
    await log.close();
  }
  const { log } = await newLog(64_000_000);
  const last = 2 * batchBytes.length;
  expect(allOf(follow(log.id), last)).toEqual(numbers(1, last));
  for (const next of numbers(2, last)) {
    expect(allOf(follow(log.id, next), last)).toEqual(numbers(next, last));
  }
  expect(damages).toEqual([]);
});

test.each([40_000, 900_000, 3_000_000])(
  'a damaged batch of %d bytes hides no other one of its segment',
  async (bytes) => {
    const { log, append } = await newLog(64_000_000);
    for (const number of numbers(1, 9)) await append(numbered(number, bytes));
    const [only = ''] = readdirSync(dir).filter((name) => name.endsWith('.log'));
    const content = readFileSync(join(dir, only));
    content[Math.floor((content.length * 1.5) / 9)] = 255;
    writeFileSync(join(dir, only), content);
    expect(allOf(follow(log.id), 9)).toEqual([1, ...numbers(3, 9)]);
    expect(damages).toEqual(['record 2 is damaged in the log and left out of searches']);
  },
);

test('damaged records are left out and named; what follows them is read', async () => {
  const { log, append } = await newLog();
  for (const number of numbers(1, 5)) await append(numbered(number));
  const segment = log.segments.find(({ firstOffset }) => firstOffset === 2);
  const path = join(dir, segmentName(segment?.number ?? 0));
  const bytes = readFileSync(path);
  bytes[bytes.lastIndexOf(numbered(2))] = 255;
  writeFileSync(path, bytes);
  expect(allOf(follow(log.id), 5)).toEqual([1, 3, 4, 5]);
  expect(damages).toEqual(['record 2 is damaged in the log and left out of searches']);
});

test('records that a cut file no longer has are left out, and the log goes on', async () => {
  const { log, append } = await newLog(1_000_000);
  await append(numbered(1));
  await append(numbered(2));
  const [only = ''] = readdirSync(dir).filter((name) => name.endsWith('.log'));
  const follower = follow(log.id);
  expect(allOf(follower, 1)).toEqual([1]);
  writeFileSync(join(dir, only), readFileSync(join(dir, only)).subarray(0, 200));
  expect(follower.read(2)).toEqual({ records: [], upTo: 2 });
  expect(damages).toHaveLength(1);
});

test('records that were dropped before they were read are an error, not a gap', async () => {
  const { log, append } = await newLog();
  for (const number of numbers(1, 6)) await append(numbered(number));
  const follower = follow(log.id);
  expect(follower.read(1).upTo).toBe(1);
  await log.dropBefore(5);
  expect(() => allOf(follower, 6)).toThrow(RecordsDroppedError);
  expect(() => follow(log.id, 4).read(6)).toThrow('no longer has record 4');
  expect(allOf(follow(log.id, 5), 6)).toEqual([5, 6]);
});
