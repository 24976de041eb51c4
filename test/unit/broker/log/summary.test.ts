import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  LogDamagedError,
  type StoredRecord,
  type Summarizer,
} from '../../../../core/broker/log/contract.ts';
import { spaceLimits } from '../../../../core/broker/log/disk/space.ts';
import { decodeSummary } from '../../../../core/broker/log/format/summary-format.ts';
import { commit, nextTurn, type OpenedLog, openOn } from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const recordAt = (offset: number) => `record ${offset} `.repeat(30);
const first = '/log/0000000001.summary';

/** Says of each even record its number, twice; of odd ones nothing. */
function evenOnes(): Summarizer {
  const kept: StoredRecord[] = [];
  return {
    add({ offset, bytes }) {
      if (Buffer.from(bytes).toString() !== recordAt(offset)) throw new Error('not the record');
      if (offset % 2 === 0) kept.push({ offset, bytes: Buffer.from(`short ${offset}`) });
    },
    *finish() {
      for (const record of kept) yield* [record, record];
    },
  };
}

const options = { segmentBytesMax: 1500, summarize: evenOnes };

const summariesOn = (disk: MemoryDisk) =>
  [...disk.files.keys()].filter((path) => path.endsWith('.summary')).sort();

async function summarized({ disk, log }: OpenedLog): Promise<void> {
  while (summariesOn(disk).length < log.segments.length - 1) await nextTurn();
}

/** Several sealed segments, all with their summaries, not closed. */
async function logOf(end: number): Promise<OpenedLog> {
  const opened = await openOn(new MemoryDisk(), options);
  for (let offset = 1; offset <= end; offset++) await commit(opened.log, [recordAt(offset)]);
  await summarized(opened);
  return opened;
}

/** What a start replays: short forms of what is sealed, and the last segment as it is. */
function expectedReplay({ log }: OpenedLog): string[] {
  const tailFrom = log.segments.at(-1)!.firstOffset;
  const replay: string[] = [];
  for (let offset = 1; offset <= log.endOffset; offset++) {
    if (offset >= tailFrom) replay.push(recordAt(offset));
    else if (offset % 2 === 0) replay.push(`short ${offset}`, `short ${offset}`);
  }
  return replay;
}

test('a start replays the summaries of sealed segments and reads only the last segment', async () => {
  const before = await logOf(30);
  const disk = before.disk.afterPowerCut();
  const read: string[] = [];
  disk.before = (operation, path) => {
    if (operation === 'readFile') read.push(path);
  };
  const { replayed, report, log } = await openOn(disk, options);
  expect(replayed).toEqual(expectedReplay(before));
  const segments = before.log.segments.length;
  const records = before.log.segments.at(-1)!.lastOffset - before.log.segments.at(-1)!.firstOffset;
  expect(report).toMatchObject({ segments, summaries: segments - 1, records: records + 1 });
  expect(report.bytes).toBe(before.log.bytes);
  expect(read.filter((path) => path.endsWith('.log')).length).toBe(1);
  for (let offset = 1; offset <= 30; offset++) {
    expect(Buffer.from(await log.read(offset)).toString()).toBe(recordAt(offset));
  }
});

test('a summary names its segment: place, size, ends and hash', async () => {
  const { disk, log } = await logOf(10);
  const summary = decodeSummary(disk.get('/log/0000000002.summary'))!;
  const segment = disk.get('/log/0000000002.log');
  const info = log.segments[1]!;
  expect(summary).toMatchObject({
    segment: 2,
    segmentBytes: segment.length,
    before: { nextOffset: info.firstOffset },
    after: { nextOffset: info.lastOffset + 1, logStart: { segment: 1, offset: 1, writtenAt: 0 } },
  });
  expect(Buffer.from(summary.sha256)).toEqual(createHash('sha256').update(segment).digest());
});

test('without a summary the segment is read, and the summary made again', async () => {
  const before = await logOf(30);
  const disk = before.disk.copy();
  disk.files.delete('/log/0000000002.summary');
  const opened = await openOn(disk, options);
  expect(opened.report.summaries).toBe(before.log.segments.length - 2);
  expect(opened.replayed).toContain(recordAt(before.log.segments[1]!.firstOffset));
  await summarized(opened);
  expect(disk.get('/log/0000000002.summary')).toEqual(before.disk.get('/log/0000000002.summary'));
});

test('whichever bit of a summary flips: the segment is read instead, and the summary made again', async () => {
  const before = await logOf(8);
  const whole = before.disk.get(first);
  for (let bit = 0; bit < whole.length * 8; bit += 3) {
    const disk = before.disk.copy();
    disk.get(first)[bit >> 3]! ^= 1 << (bit & 7);
    const { report, replayed, log } = await openOn(disk, options);
    if (replayed[0] !== recordAt(1)) expect.fail(`bit ${bit} was not noticed`);
    expect(report.summaries).toBe(before.log.segments.length - 2);
    await log.close();
  }
  const disk = before.disk.copy();
  disk.get(first)[200]! ^= 1;
  await summarized(await openOn(disk, options));
  expect(disk.get(first)).toEqual(whole);
});

test.each([
  ['cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
  ['longer than it was', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)])],
  ['empty', () => Buffer.alloc(0)],
  ['of another segment', (_: Buffer, disk: MemoryDisk) => disk.get('/log/0000000002.summary')],
])('a summary that is %s is not used', async (_, change) => {
  const before = await logOf(12);
  const disk = before.disk.copy();
  disk.put(first, change(disk.get(first), disk));
  const opened = await openOn(disk, options);
  expect(opened.replayed[0]).toBe(recordAt(1));
  await summarized(opened);
  expect(disk.get(first)).toEqual(before.disk.get(first));
});

test('the summary of another course of the same log is not used', async () => {
  const start = await logOf(2);
  const courses = [];
  for (const text of ['alpha', 'other']) {
    const opened = await openOn(start.disk.copy(), { segmentBytesMax: 1500 });
    for (let round = 0; round < 8; round++) await commit(opened.log, [text.repeat(60)]);
    await summarized(opened);
    courses.push(opened.disk);
  }
  const [one, other] = courses as [MemoryDisk, MemoryDisk];
  // The courses part in the first segment, of which both have the same header and size.
  for (const path of summariesOn(one)) {
    const mixed = one.copy();
    mixed.put(path, other.get(path));
    const { replayed } = await openOn(mixed, { segmentBytesMax: 1500 });
    expect(replayed.join(''), path).not.toContain('other');
  }
});

test('a segment of another length than its summary says is read, and refused', async () => {
  const { disk } = await logOf(12);
  disk.put('/log/0000000002.log', disk.get('/log/0000000002.log').subarray(0, -10));
  await expect(openOn(disk.copy(), options)).rejects.toBeInstanceOf(LogDamagedError);
});

test('a damaged header of a segment with a summary is refused at the start', async () => {
  const { disk } = await logOf(12);
  disk.get('/log/0000000002.log')[30]! ^= 1;
  await expect(openOn(disk.copy(), options)).rejects.toBeInstanceOf(LogDamagedError);
});

test('a summary whose next segment is gone proves that one was there', async () => {
  const { disk, log } = await logOf(12);
  const left = disk.copy();
  const last = [...left.files.keys()]
    .filter((path) => path.endsWith('.log'))
    .sort()
    .at(-1)!;
  left.files.delete(last);
  left.files.delete('/log/proven');
  await expect(openOn(left, options)).rejects.toThrow(`${last} is missing`);
  for (const path of left.files.keys()) if (path.endsWith('.log')) left.files.delete(path);
  await expect(openOn(left, options)).rejects.toThrow('is missing');
  expect(log.segments.length).toBeGreaterThan(3);
});

test('damage that shows while a summary is made stops the log', async () => {
  const { disk, log, failures } = await openOn(new MemoryDisk(), options);
  await commit(log, [recordAt(1)]);
  disk.get('/log/0000000001.log')[300]! ^= 1;
  for (let offset = 2; offset <= 8; offset++) {
    log.append(Buffer.from(recordAt(offset)));
    while (failures.length === 0 && log.durableOffset < offset) await nextTurn();
    if (failures.length > 0) break;
  }
  for (let turn = 0; turn < 50 && failures.length === 0; turn++) await nextTurn();
  expect(failures[0]).toBeInstanceOf(LogDamagedError);
  expect(failures[0]).toMatchObject({ file: '/log/0000000001.log' });
  expect(summariesOn(disk)).toEqual([]);
});

test('a disk without room for a summary does without, and the log goes on', async () => {
  const { disk, log, failures } = await openOn(new MemoryDisk(), options);
  await commit(log, [recordAt(1)]);
  disk.capacityBytes = disk.usedBytes + spaceLimits({ totalBytes: 2 ** 30 }, 1500).lowBytes - 1;
  for (let offset = 2; offset <= 20; offset++) await commit(log, [recordAt(offset)]);
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  expect([summariesOn(disk), failures]).toEqual([[], []]);
  disk.capacityBytes = 2 ** 40;
  await log.close();
  await summarized(await openOn(disk.copy(), options));
});

test('a summary for which the room ends while it is written is left, and the log goes on', async () => {
  const { disk, log, failures } = await openOn(new MemoryDisk(), options);
  disk.before = (operation, path) => {
    if (operation === 'datasync' && path.includes('summary')) {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    }
  };
  for (let offset = 1; offset <= 20; offset++) await commit(log, [recordAt(offset)]);
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  expect([...disk.files.keys()].filter((path) => path.includes('summary'))).toEqual([]);
  await log.close();
  expect(failures).toEqual([]);
});

test('closing does not wait for summaries that are still to be made', async () => {
  const opened = await openOn(new MemoryDisk(), { segmentBytesMax: 600 });
  const records = Array.from({ length: 200 }, (_, index) => recordAt(index + 1));
  for (const record of records) opened.log.append(Buffer.from(record));
  await opened.log.close();
  expect(summariesOn(opened.disk).length).toBeLessThan(opened.log.segments.length / 2);
  const { operations } = opened.disk;
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  expect(opened.disk.operations, 'a closed log is quiet').toBe(operations);
  const again = await openOn(opened.disk, { segmentBytesMax: 600 });
  expect(again.replayed).toEqual(records);
  await summarized(again);
});

test('a summary is made in small steps: others have their turn all the time', async () => {
  let addedSinceTurn = 0;
  let addedAtOnceMax = 0;
  const counting = (): Summarizer => ({
    add: () => {
      addedSinceTurn += 1;
      addedAtOnceMax = Math.max(addedAtOnceMax, addedSinceTurn);
    },
    finish: () => [],
  });
  const opened = await openOn(new MemoryDisk(), { segmentBytesMax: 400_000, summarize: counting });
  for (let count = 0; count < 30_000; count++) opened.log.append(Buffer.from(`record ${count}`));
  while (summariesOn(opened.disk).length === 0) {
    addedSinceTurn = 0;
    await nextTurn();
  }
  expect(addedAtOnceMax).toBeGreaterThan(0);
  expect(addedAtOnceMax).toBeLessThan(1000);
});
