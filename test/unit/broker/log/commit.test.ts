import { expect, test } from 'vitest';
import {
  batchFrameBytes,
  decodeSegmentHeader,
  recordBytesMax,
  segmentHeaderBytes,
} from '../../../../core/broker/log/format/format.ts';
import { asPart } from '../../../../core/broker/log/format/segment-reader.ts';
import { scanBatches } from '../../../../core/broker/log/recovery/scan.ts';
import { batchPayloadBytesTarget } from '../../../../core/broker/log/write/batch.ts';
import { commit, nextTurn, openOn, settled } from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

/** Payload sizes of the batches that hold records. */
function batchSizes(segment: Buffer): number[] {
  const header = decodeSegmentHeader(segment);
  if (!header.ok) throw new Error('the segment has no header');
  const sizes: number[] = [];
  const part = asPart({ path: '', number: 1, bytes: segment });
  scanBatches(part, header.cursor, ({ header: { kind, payloadBytes } }) => {
    if (kind === 'records') sizes.push(payloadBytes);
  });
  return sizes;
}

test('records come back in order, with their offsets, after a clean close', async () => {
  const { disk, log } = await openOn(new MemoryDisk());
  expect([log.endOffset, log.durableOffset]).toEqual([0, 0]);
  expect(log.append(bytes('a'))).toBe(1);
  expect(log.append(bytes(''))).toBe(2);
  expect(log.append(bytes('ccc'))).toBe(3);
  await log.close();
  const again = await openOn(disk.copy());
  expect(again.replayed).toEqual(['a', '', 'ccc']);
  expect(again.report).toMatchObject({ segments: 1, records: 3, clean: true, tornTail: null });
  expect(again.log.append(bytes('d'))).toBe(4);
  await again.log.close();
  expect((await openOn(again.disk)).replayed).toEqual(['a', '', 'ccc', 'd']);
});

test('all appends of one tick share one write and one fdatasync', async () => {
  const { disk, log, durable } = await openOn(new MemoryDisk());
  const before = { ...disk.counts };
  await commit(
    log,
    Array.from({ length: 1000 }, (_, index) => `record ${index}`),
  );
  // The other one notes beside the segments that this commit is durable.
  expect(disk.counts.write).toBe(before.write! + 2);
  expect(disk.counts.datasync).toBe(before.datasync! + 1);
  expect(durable).toEqual([1000]);
});

test('a record is copied when it is appended', async () => {
  const { disk, log } = await openOn(new MemoryDisk());
  const record = bytes('original');
  log.append(record);
  record.fill(0);
  await log.close();
  expect((await openOn(disk)).replayed).toEqual(['original']);
});

test('nothing is durable before fdatasync returns, and what came meanwhile rides the next', async () => {
  const { disk, log, durable } = await openOn(new MemoryDisk());
  const syncs: (() => void)[] = [];
  disk.before = (operation) =>
    operation === 'datasync' ? new Promise((resolve) => syncs.push(resolve)) : undefined;
  log.append(bytes('one'));
  expect(durable).toEqual([]);
  await until(() => syncs.length === 1);
  log.append(bytes('two'));
  log.append(bytes('three'));
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  expect([log.durableOffset, durable, syncs.length]).toEqual([0, [], 1]);
  syncs[0]!();
  await until(() => syncs.length === 2);
  expect([log.durableOffset, durable]).toEqual([1, [1]]);
  syncs[1]!();
  await settled(log);
  expect(durable).toEqual([1, 3]);
});

test('a short write is continued, and only then counts', async () => {
  const { disk, log } = await openOn(new MemoryDisk());
  disk.accept = (given) => Math.ceil(given / 3);
  await commit(log, ['x'.repeat(5000), 'y'.repeat(700)]);
  expect((await openOn(disk.copy())).replayed).toEqual(['x'.repeat(5000), 'y'.repeat(700)]);
});

test('large loads are cut into batches near 128 KiB that share a commit', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 64 * 1024 * 1024 });
  const before = disk.counts.datasync!;
  const records = Array.from({ length: 50 }, (_, index) => String(index).repeat(60_000));
  records.push('huge'.repeat(700_000));
  await commit(log, records);
  expect(disk.counts.datasync).toBe(before + 1);
  const sizes = batchSizes(disk.get('/log/0000000001.log'));
  expect(sizes.length).toBeGreaterThan(20);
  expect(sizes.filter((size) => size > batchPayloadBytesTarget)).toEqual([4 + 4 * 700_000]);
  const again = await openOn(disk.copy(), { segmentBytesMax: 64 * 1024 * 1024 });
  expect(again.replayed).toEqual(records);
});

test('a full segment is followed by the next, which is durable before its records are', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 600 });
  const records = Array.from({ length: 40 }, (_, index) => `record ${index} `.repeat(10));
  for (const record of records) await commit(log, [record]);
  const segments = [...disk.files.keys()].filter((path) => path.endsWith('.log'));
  expect(segments.length).toBeGreaterThan(10);
  for (const path of segments) expect(disk.get(path).length).toBeLessThanOrEqual(600);
  expect(log.bytes).toBe(segments.reduce((sum, path) => sum + disk.get(path).length, 0));
  const again = await openOn(disk.afterPowerCut(), { segmentBytesMax: 600 });
  expect(again.replayed).toEqual(records);
  expect(again.report.segments).toBe(segments.length);
});

test('a segment takes one batch even when that is larger than the limit', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 1 });
  await commit(log, ['first '.repeat(100)]);
  await commit(log, ['second '.repeat(100)]);
  await log.close();
  const again = await openOn(disk, { segmentBytesMax: 1 });
  expect(again.replayed).toEqual(['first '.repeat(100), 'second '.repeat(100)]);
});

test('an idle log proves its last records durable with one mark', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { markIdleMs: 1 });
  await commit(log, ['a']);
  const [bytesBefore, syncsBefore] = [log.bytes, disk.counts.datasync!];
  await until(() => log.bytes > bytesBefore);
  for (let turn = 0; turn < 200; turn++) await nextTurn();
  // One sync of the segment, one of the note beside it.
  expect([log.bytes - bytesBefore, disk.counts.datasync! - syncsBefore]).toEqual([68, 2]);
  disk.files.delete('/log/proven');
  // Now damage to the record can no longer pass for a torn write.
  const recordsAt = segmentHeaderBytes + batchFrameBytes;
  disk.get('/log/0000000001.log').fill(0, recordsAt, recordsAt + 73);
  await expect(openOn(disk.copy())).rejects.toThrow('safely on disk');
});

test('close writes what was appended, can be repeated, and ends the log', async () => {
  const { log, durable } = await openOn(new MemoryDisk());
  log.append(bytes('a'));
  const closing = log.close();
  expect(() => log.append(bytes('b'))).toThrow('the log is closed');
  expect(log.close()).toBe(closing);
  await closing;
  expect(durable).toEqual([1]);
});

test('a record over the limit is refused and changes nothing', async () => {
  const { log } = await openOn(new MemoryDisk());
  expect(() => log.append(new Uint8Array(recordBytesMax + 1))).toThrow(RangeError);
  expect(log.endOffset).toBe(0);
  expect(log.append(bytes('a'))).toBe(1);
});

test('a segment limit that cannot be kept is refused', async () => {
  for (const segmentBytesMax of [0, -1, Number.NaN, 2 ** 31]) {
    await expect(openOn(new MemoryDisk(), { segmentBytesMax })).rejects.toThrow(RangeError);
  }
});

test.each([
  ['write', 10_000],
  ['datasync', 10_000],
  ['write', 300],
  ['datasync', 300],
  ['link', 300],
  ['remove', 300],
  ['syncDir', 300],
  ['close', 300],
] as const)(
  'a failing %s stops the log once and for all (segments of %i)',
  async (failing, max) => {
    const { disk, log, durable, failures } = await openOn(new MemoryDisk(), {
      segmentBytesMax: max,
    });
    await commit(log, ['durable '.repeat(20)]);
    const afterwards: string[] = [];
    let failed = false;
    disk.before = (operation) => {
      if (failed) afterwards.push(operation);
      if (operation !== failing || failed) return;
      failed = true;
      throw new Error(`EIO in ${failing}`);
    };
    log.append(bytes('needs a new segment '.repeat(10)));
    await until(() => failed && log.bytes > 0);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(failures.map((error) => error.message)).toEqual([`EIO in ${failing}`]);
    expect([log.durableOffset, durable]).toEqual([1, [1]]);
    expect(() => log.append(bytes('more'))).toThrow('the log failed');
    await expect(log.close()).rejects.toThrow(`EIO in ${failing}`);
    expect([failures.length, durable]).toEqual([1, [1]]);
    expect(afterwards.filter((operation) => operation !== 'close')).toEqual([]);
  },
);

test('a disk that fails for good is reported once', async () => {
  const { disk, log, failures } = await openOn(new MemoryDisk());
  disk.before = (operation) => {
    throw new Error(`EIO in ${operation}`);
  };
  log.append(bytes('a'));
  await until(() => failures.length > 0);
  await expect(log.close()).rejects.toThrow('EIO in write');
  expect(failures.length).toBe(1);
});

test('a backlog larger than a segment is spread over several', async () => {
  const segmentBytesMax = 2_500_000;
  const { disk, log, durable } = await openOn(new MemoryDisk(), { segmentBytesMax });
  const records = Array.from({ length: 80 }, (_, index) => String(index % 10).repeat(100_000));
  await commit(log, records);
  const sizes = [...disk.files]
    .filter(([path]) => path.endsWith('.log'))
    .map(([, file]) => file.bytes.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(segmentBytesMax);
  expect(sizes.length).toBe(4);
  expect(durable.at(-1)).toBe(80);
  expect((await openOn(disk.afterPowerCut(), { segmentBytesMax })).replayed).toEqual(records);
});

test('a clean mark that cannot be written makes close fail, and the next start is unclean', async () => {
  const { disk, log, failures } = await openOn(new MemoryDisk());
  await commit(log, ['a']);
  disk.before = (operation) => {
    if (operation === 'write') throw new Error('ENOSPC');
  };
  await expect(log.close()).rejects.toThrow('ENOSPC');
  expect(failures.length).toBe(1);
  const again = await openOn(disk.copy());
  expect([again.replayed, again.report.clean]).toEqual([['a'], false]);
});
