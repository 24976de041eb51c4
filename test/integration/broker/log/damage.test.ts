/**
 * Damage of every kind at every place of a log: what opens holds a prefix with all that was proven
 * durable; everything else is refused. `npm run test:crash -- --damage` tries every place, the tests
 * of each commit a part of them. A failure prints its seed.
 */

import { expect, test } from 'vitest';
import { type Log, LogDamagedError } from '../../../../core/broker/log/contract.ts';
import {
  decodeBatchHeader,
  decodeSegmentHeader,
  segmentHeaderBytes,
  segmentName,
} from '../../../../core/broker/log/format/format.ts';
import { decodeProof } from '../../../../core/broker/log/format/proven-end.ts';
import { asPart } from '../../../../core/broker/log/format/segment-reader.ts';
import { recover } from '../../../../core/broker/log/recovery/recover.ts';
import { scanBatches } from '../../../../core/broker/log/recovery/scan.ts';
import {
  commit,
  logDir,
  nextTurn,
  type OpenedLog,
  openOn,
  seededRandom,
  unnoteLastCommit,
} from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const path = `${logDir}/0000000001.log`;
const seed = Number(process.env['AIQ_CRASH_SEED'] ?? Date.now() % 1_000_000);
/** Every place, however long that takes. */
const isWhole = process.env['AIQ_CRASH_DAMAGE'] !== undefined;
const timeout = 900_000;
/** Records differ from each other, and a few kept copies make checking them cheap. */
const recordAt = (offset: number, bytes: number) => `${offset},`.repeat(bytes).slice(0, bytes);
const made = new Map<number, Buffer>();

function expectedRecord(offset: number, bytes: number): Buffer {
  const known = made.get(offset);
  if (known?.length === bytes) return known;
  const record = Buffer.from(recordAt(offset, bytes), 'latin1');
  made.set(offset, record);
  return record;
}

/** A log of one segment, committed in groups of 1 to 3 records, unproven at its end. */
async function logOf(groups: number, recordBytes: number): Promise<Buffer> {
  const { disk, log } = await openOn(new MemoryDisk());
  for (let group = 0; group < groups; group++) {
    const next = log.endOffset + 1;
    const offsets = Array.from({ length: 1 + (group % 3) }, (_, index) => next + index);
    await commit(
      log,
      offsets.map((offset) => recordAt(offset, recordBytes)),
    );
  }
  return Buffer.from(disk.get(path));
}

/** Records that open from these bytes, or null when the log is refused as damaged. */
async function recordsIn(bytes: Buffer, recordBytes: number): Promise<number | null> {
  const disk = new MemoryDisk();
  disk.put(path, bytes);
  return await recordsOn(disk, recordBytes);
}

async function recordsOn(disk: MemoryDisk, recordBytes = 150): Promise<number | null> {
  let records = 0;
  try {
    await recover(disk, logDir, {
      begin: () => undefined,
      record: (record, offset) => {
        records += 1;
        if (offset !== records || !expectedRecord(offset, recordBytes).equals(record)) {
          throw new Error(`seed ${seed}: record ${offset} is not what was appended`);
        }
      },
    });
  } catch (error) {
    if (error instanceof LogDamagedError) return null;
    throw error;
  }
  return records;
}

interface BatchAt {
  readonly start: number;
  readonly end: number;
  readonly lastOffset: number;
  readonly durableUpTo: number;
  readonly records: number;
}

function batchesOf(log: Buffer): BatchAt[] {
  const header = decodeSegmentHeader(log);
  if (!header.ok) throw new Error('the test log has no header');
  const batches: BatchAt[] = [];
  for (let start = segmentHeaderBytes; start < log.length; ) {
    const batch = decodeBatchHeader(log, start, header.cursor.logId)!;
    const { payloadBytes, firstOffset, recordCount, durableUpTo } = batch;
    const end = start + 68 + payloadBytes;
    const lastOffset = firstOffset + recordCount - 1;
    batches.push({ start, end, lastOffset, durableUpTo, records: recordCount });
    start = end;
  }
  return batches;
}

/** What must open from the first `length` bytes: all whole batches, no more, no less. */
function expectedAt(batches: readonly BatchAt[], length: number): number {
  return batches.findLast((batch) => batch.end <= length)?.lastOffset ?? 0;
}

test(
  'a log cut at any byte opens with exactly the batches that are whole',
  async () => {
    const log = await logOf(isWhole ? 100 : 30, 310);
    expect(log.length).toBeGreaterThan((isWhole ? 64 : 18) * 1024);
    const batches = batchesOf(log);
    expect(batches.length).toBeGreaterThan(isWhole ? 100 : 30);
    for (let length = 0; length <= log.length; length++) {
      const records = await recordsIn(log.subarray(0, length), 310);
      // A segment has its name when its header is on the medium: without one it was cut.
      const expected = length < segmentHeaderBytes ? null : expectedAt(batches, length);
      if (records !== expected) expect.fail(`cut at ${length}: ${records}, not ${expected}`);
    }
    if (isWhole) console.log(`${log.length + 1} places cut, in ${batches.length} batches`);
  },
  timeout,
);

/** Cuts the last segment at each of these lengths; each must be refused, whatever the start has read before. */
async function expectRefused(disk: MemoryDisk, last: string, lengths: Iterable<number>) {
  let count = 0;
  for (const length of lengths) {
    const damaged = disk.copy();
    damaged.put(last, disk.get(last).subarray(0, length));
    if ((await recordsOn(damaged, 310)) !== null) expect.fail(`${last} cut at ${length}: served`);
    count += 1;
  }
  return count;
}

function provenEndOf(disk: MemoryDisk) {
  const proof = decodeProof(disk.get(`${logDir}/proven`));
  if (proof.state !== 'good') expect.fail('the log has no proof');
  return proof.end;
}

test(
  'a last segment cut anywhere below its proven end is noticed, and so is its removal',
  async () => {
    const { disk, log } = await openOn(new MemoryDisk(), {
      segmentBytesMax: isWhole ? 24_000 : 6000,
    });
    while (log.segments.length < 4 || log.segments.at(-1)!.bytes < (isWhole ? 20_000 : 4000)) {
      await commit(log, [recordAt(log.endOffset + 1, 310)]);
    }
    unnoteLastCommit(disk);
    const { segment, bytes } = provenEndOf(disk);
    const last = `${logDir}/${segmentName(segment)}`;
    expect(bytes).toBeGreaterThan(isWhole ? 19_000 : 3000);
    const cuts = await expectRefused(disk, last, Array(bytes).keys());
    const removed = disk.copy();
    removed.files.delete(last);
    for (const summary of summariesOn(removed)) removed.files.delete(summary);
    expect(await recordsOn(removed, 310), 'the last segment removed').toBeNull();
    for (const file of removed.files.keys()) if (file.endsWith('.log')) removed.files.delete(file);
    expect(await recordsOn(removed, 310), 'all segments removed').toBeNull();
    await log.close();
    const closed = disk.afterPowerCut();
    expect(provenEndOf(closed).bytes).toBe(closed.get(last).length);
    const behind = Array.from({ length: closed.get(last).length - bytes }, (_, at) => bytes + at);
    const more = await expectRefused(closed, last, behind);
    if (isWhole)
      console.log(`${cuts} and, once closed, ${more} more cuts of the last segment refused`);
  },
  timeout,
);

test('a log whose end is zeros from any byte on keeps what was proven, or is refused', async () => {
  const log = await logOf(40, 150);
  const batches = batchesOf(log);
  let opened = 0;
  for (let length = segmentHeaderBytes; length < log.length; length++) {
    const records = await recordsIn(Buffer.from(log).fill(0, length), 150);
    if (records === null) continue;
    opened += 1;
    const expected = expectedAt(batches, length);
    if (records !== expected) expect.fail(`zeros from ${length}: ${records}, not ${expected}`);
  }
  // Refused are only ends that no lost sector explains: zeros that begin inside a trailer.
  expect(log.length - segmentHeaderBytes - opened).toBeLessThanOrEqual(batches.length * 3);
});

test(
  'no flipped bit of a log makes a record vanish or change',
  async () => {
    const log = await logOf(46, 150);
    expect(log.length).toBeGreaterThan(16 * 1024);
    const all = batchesOf(log).at(-1)!.lastOffset;
    const random = seededRandom(seed);
    const every = Array.from({ length: (isWhole ? log.length : 1024) * 8 }, (_, bit) => bit);
    const ends = Array.from({ length: 512 * 8 }, (_, bit) => (log.length - 512) * 8 + bit);
    const sample = Array.from({ length: isWhole ? 0 : 10_000 }, () =>
      Math.floor(random() * log.length * 8),
    );
    const bits = new Set([...every, ...ends, ...sample]);
    for (const bit of bits) {
      log[bit >> 3]! ^= 1 << (bit & 7);
      const records = await recordsIn(log, 150);
      log[bit >> 3]! ^= 1 << (bit & 7);
      if (records !== null)
        expect.fail(`seed ${seed}, bit ${bit}: opened with ${records} of ${all}`);
    }
    if (isWhole) console.log(`${bits.size} bits of ${log.length} bytes flipped, all refused`);
  },
  timeout,
);

test('several damaged places at once are refused or cost only what was never proven', async () => {
  const log = await logOf(30, 150);
  const batches = batchesOf(log);
  const proven = batches.at(-1)!.durableUpTo;
  const random = seededRandom(seed);
  for (let round = 0; round < 5000; round++) {
    const damaged = Buffer.from(log);
    for (let count = 1 + Math.floor(random() * 6); count > 0; count--) {
      damaged[Math.floor(random() * log.length)] = Math.floor(random() * 256);
    }
    const cutAt = random() < 0.3 ? Math.floor(random() * log.length) : log.length;
    const records = await recordsIn(damaged.subarray(0, cutAt), 150);
    const least = Math.min(proven, provenIn(damaged.subarray(0, cutAt), batches));
    if (records !== null && records < least) {
      expect.fail(`seed ${seed}, round ${round}: ${records} records of ${least} proven`);
    }
  }
});

/** The durable point that the headers left intact still prove. */
function provenIn(damaged: Buffer, batches: readonly BatchAt[]): number {
  const header = decodeSegmentHeader(damaged);
  if (!header.ok) return 0;
  const { logId } = header.cursor;
  return Math.max(
    0,
    ...batches.map((b) => decodeBatchHeader(damaged, b.start, logId)?.durableUpTo ?? 0),
  );
}

test('cuts and zeros of a segmented log never cost a sealed segment', async () => {
  const options = { segmentBytesMax: 2000 };
  const { disk, log } = await openOn(new MemoryDisk(), options);
  for (let offset = 1; offset <= 60; offset++) await commit(log, [recordAt(offset, 100)]);
  const segments = [...disk.files.keys()].filter((name) => name.endsWith('.log')).sort();
  expect(segments.length).toBeGreaterThan(4);
  const proven = provenEndOf(disk);
  const last = segments.at(-1)!;
  for (const segment of segments) {
    for (let length = 0; length < disk.get(segment).length; length += 7) {
      const damaged = disk.copy();
      damaged.put(segment, disk.get(segment).subarray(0, length));
      const opened = await openOn(damaged, options).catch((error: unknown) => {
        if (error instanceof LogDamagedError) return null;
        throw error;
      });
      const mayBeServed = segment === last && length >= proven.bytes;
      expect(opened === null, `${segment} cut at ${length}`).toBe(!mayBeServed);
    }
  }
});

/** About 16 KiB in several segments, all sealed ones with their summaries. */
async function summarizedLog(): Promise<OpenedLog> {
  const opened = await openOn(new MemoryDisk(), { segmentBytesMax: 3500, cacheBytesMax: 0 });
  while (opened.log.bytes < 16 * 1024) {
    const next = opened.log.endOffset + 1;
    await commit(opened.log, [recordAt(next, 150), recordAt(next + 1, 150)]);
  }
  while (summariesOn(opened.disk).length < opened.log.segments.length - 1) await nextTurn();
  return opened;
}

function summariesOn(disk: MemoryDisk): string[] {
  return [...disk.files.keys()].filter((name) => name.endsWith('.summary'));
}

test(
  'every flipped bit of a sealed segment is noticed by a scan, and by reading what it hits',
  async () => {
    const { disk, log } = await summarizedLog();
    for (const { number } of log.segments.slice(0, -1)) {
      const file = `${logDir}/${segmentName(number)}`;
      const bytes = disk.get(file);
      const batches = batchesOf(bytes).filter(({ records }) => records > 0);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const passes = scanPasses({ path: file, number, bytes });
        const hit = batches.find(({ start, end }) => bit >> 3 >= start && bit >> 3 < end);
        const read = hit === undefined || (await isNoticed(log, hit.lastOffset));
        if (passes || !read) expect.fail(`${file}, bit ${bit}: scanned ${passes}, read ${read}`);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
  },
  timeout,
);

/** Whether reading the record says that it is damaged. */
async function isNoticed(log: Log, offset: number): Promise<boolean> {
  try {
    await log.read(offset);
    return false;
  } catch (error) {
    return error instanceof LogDamagedError;
  }
}

/** Whether recovery would take the segment for good, were it not the last one. */
function scanPasses(segment: { path: string; number: number; bytes: Buffer }): boolean {
  const header = decodeSegmentHeader(segment.bytes);
  if (!header.ok) return false;
  try {
    return scanBatches(asPart(segment), header.cursor).damage === null;
  } catch (error) {
    if (error instanceof LogDamagedError) return false;
    throw error;
  }
}

test('a log of several segments with a flipped bit anywhere never opens to something else', async () => {
  const opened = await summarizedLog();
  const end = opened.log.endOffset;
  const files = [...opened.disk.files].map(([name, { bytes }]) => ({ name, bytes }));
  const random = seededRandom(seed);
  for (let round = 0; round < 4000; round++) {
    const disk = opened.disk.copy();
    const withSummaries = round % 2 === 0;
    if (!withSummaries) for (const name of summariesOn(disk)) disk.files.delete(name);
    const { name } = files[Math.floor(random() * files.length)]!;
    // Files that say again what segments say: damage in one costs nothing.
    const isBeside = !name.endsWith('.log');
    if (isBeside && !withSummaries) continue;
    const bit = Math.floor(random() * disk.get(name).length * 8);
    disk.get(name)[bit >> 3]! ^= 1 << (bit & 7);
    const what = `seed ${seed}, ${name}, bit ${bit}`;
    const records = await recordsOn(disk);
    if (records !== null && records !== end) expect.fail(`${what}: ${records} of ${end}`);
    if (records === null && isBeside) expect.fail(`${what}: refused for it`);
    if (records !== null && !withSummaries) expect.fail(`${what}: was not noticed`);
  }
});
