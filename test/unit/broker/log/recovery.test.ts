import { expect, test } from 'vitest';
import { LogDamagedError } from '../../../../core/broker/log/contract.ts';
import { batchFrameBytes, segmentHeaderBytes } from '../../../../core/broker/log/format/format.ts';
import { commit, keepAll, openOn, unnoteLastCommit } from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const first = '/log/0000000001.log';
const second = '/log/0000000002.log';
const third = '/log/0000000003.log';
/** Each record fills more than two sectors, and none of its bytes is zero. */
const record = (name: string) => name.repeat(1200);
const recordBatchBytes = batchFrameBytes + 4 + 1200;
/** A new log begins with its header and a mark. */
const firstBatchAt = segmentHeaderBytes + batchFrameBytes;

/** A log whose records were committed in these groups; the last was not proven durable. */
async function logOf(...groups: string[][]): Promise<MemoryDisk> {
  const { disk, log } = await openOn(new MemoryDisk());
  for (const group of groups) await commit(log, group.map(record));
  unnoteLastCommit(disk);
  return disk.copy();
}

/** Three segments of one record each. */
async function segmentedLog(): Promise<MemoryDisk> {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 1500 });
  for (const name of 'abc') await commit(log, [record(name)]);
  return disk.copy();
}

async function refusal(disk: MemoryDisk): Promise<LogDamagedError> {
  const before = [...disk.files].map(([path, { bytes }]) => [path, bytes.toString('hex')]);
  const error: unknown = await openOn(disk).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LogDamagedError);
  const after = [...disk.files].map(([path, { bytes }]) => [path, bytes.toString('hex')]);
  expect(after, 'a refused start changes nothing').toEqual(before);
  const damaged = error as LogDamagedError;
  expect(damaged.message).toContain(damaged.file);
  return damaged;
}

function cut(disk: MemoryDisk, path: string, bytes: number): void {
  disk.put(path, disk.get(path).subarray(0, bytes));
}

test('without a clean close all whole batches are kept, and the start says so', async () => {
  const disk = await logOf(['a'], ['b', 'c']);
  const { replayed, report } = await openOn(disk);
  expect(replayed).toEqual(['a', 'b', 'c'].map(record));
  expect(report).toMatchObject({ records: 3, clean: false, tornTail: null });
});

test('a batch cut short is kept aside, cut off and reported; the log goes on before it', async () => {
  const disk = await logOf(['a'], ['b']);
  const cutAt = firstBatchAt + recordBatchBytes + 500;
  cut(disk, first, cutAt);
  const lost = Buffer.from(disk.get(first).subarray(firstBatchAt + recordBatchBytes));
  const { replayed, report, log } = await openOn(disk);
  expect(replayed).toEqual([record('a')]);
  expect(report.tornTail).toMatchObject({
    segment: '0000000001.log',
    atByte: firstBatchAt + recordBatchBytes,
    bytes: 500,
  });
  expect(disk.afterPowerCut().get(report.tornTail!.keptAs!)).toEqual(lost);
  expect(log.append(Buffer.from('new'))).toBe(2);
  await log.close();
  const again = await openOn(disk);
  expect(again.replayed).toEqual([record('a'), 'new']);
  expect(again.report).toMatchObject({ clean: true, tornTail: null });
});

test('a torn tail behind a clean mark is cut off as well', async () => {
  const { disk, log } = await openOn(new MemoryDisk());
  await commit(log, [record('a')]);
  await log.close();
  const closed = await openOn(disk.copy());
  await commit(closed.log, [record('b')]);
  unnoteLastCommit(closed.disk);
  cut(closed.disk, first, closed.disk.get(first).length - 1);
  const { replayed, report, log: next } = await openOn(closed.disk);
  expect([replayed, report.clean]).toEqual([[record('a')], false]);
  expect(report.tornTail).toMatchObject({ bytes: recordBatchBytes - 1 });
  await commit(next, ['c']);
  expect((await openOn(closed.disk)).replayed).toEqual([record('a'), 'c']);
});

test('a last batch with a sector that never arrived is a torn tail', async () => {
  const disk = await logOf(['a'], ['b']);
  disk.get(first).fill(0, 1536, 2048);
  const { replayed, report } = await openOn(disk);
  expect(replayed).toEqual([record('a')]);
  expect(report.tornTail).toMatchObject({ bytes: recordBatchBytes });
});

test('a tail of zeros is a torn tail', async () => {
  const disk = await logOf(['a'], ['b']);
  disk.put(first, Buffer.concat([disk.get(first), Buffer.alloc(3000)]));
  const { replayed, report } = await openOn(disk);
  expect(replayed).toEqual([record('a'), record('b')]);
  expect(report.tornTail).toMatchObject({ bytes: 3000 });
});

test('an unproven last batch that is whole in length but wrong is refused', async () => {
  const disk = await logOf(['a'], ['b']);
  const at = firstBatchAt + recordBatchBytes;
  disk.get(first)[at + 700]! ^= 1;
  const error = await refusal(disk);
  expect(error).toMatchObject({ file: first, atByte: at });
  expect(error.message).toContain(`truncate -s ${at} '${first}'`);
  expect(error.message).toContain('record 2');
  // The advice works.
  cut(disk, first, at);
  expect((await openOn(disk)).replayed).toEqual([record('a')]);
});

test('an unproven batch before a whole one of the same commit is a torn tail if a sector is zero', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 4 * 1024 * 1024 });
  const records = ['x', 'y'].map((name) => name.repeat(900_000));
  await commit(log, records);
  unnoteLastCommit(disk);
  disk.get(first).fill(0, 51_200, 51_200 + 512);
  const { replayed, report } = await openOn(disk.copy());
  expect(replayed).toEqual([]);
  expect(report.tornTail).toMatchObject({ atByte: firstBatchAt });
  disk
    .get(first)
    .fill('x', 51_200, 51_200 + 512)
    .fill('z', 60_000, 60_001);
  expect((await refusal(disk)).message).toContain('does not look like');
});

test.each([
  ['a flipped bit in a payload', (log: Buffer) => (log[firstBatchAt + 700]! ^= 1)],
  ['a flipped bit in a header', (log: Buffer) => (log[firstBatchAt + 20]! ^= 1)],
  ['a zeroed sector', (log: Buffer) => log.fill(0, 512, 1024)],
  ['a zeroed batch', (log: Buffer) => log.fill(0, firstBatchAt, firstBatchAt + recordBatchBytes)],
])('%s below the durable point is refused', async (_, damage) => {
  const disk = await logOf(['a'], ['b']);
  damage(disk.get(first));
  const error = await refusal(disk);
  expect(error.atByte).toBe(firstBatchAt);
  expect(error.message).toContain('Record 1 and all later ones may be lost');
});

test('a damaged mark is refused when a batch written later proves it durable', async () => {
  const disk = await logOf(['a']);
  disk.get(first)[segmentHeaderBytes + 30]! ^= 1;
  expect((await refusal(disk)).atByte).toBe(segmentHeaderBytes);
});

test('a batch missing from the middle is refused', async () => {
  const disk = await logOf(['a'], ['b'], ['c']);
  const log = disk.get(first);
  const from = firstBatchAt + recordBatchBytes;
  disk.put(first, Buffer.concat([log.subarray(0, from), log.subarray(from + recordBatchBytes)]));
  const error = await refusal(disk);
  expect(error).toMatchObject({ atByte: from });
  expect(error.message).toContain('gap');
});

test('a missing batch is refused even if the file also ends inside the next', async () => {
  const disk = await logOf(['a'], ['b'], ['c']);
  const log = disk.get(first);
  const from = firstBatchAt + recordBatchBytes;
  disk.put(
    first,
    Buffer.concat([log.subarray(0, from), log.subarray(from + recordBatchBytes, -100)]),
  );
  expect((await refusal(disk)).message).toContain('safely on disk');
});

test.each([
  ['short', (log: Buffer) => log.subarray(0, -1)],
  ['with zeros at its end', (log: Buffer) => Buffer.from(log).fill(0, log.length - 600)],
  ['with zeros behind its end', (log: Buffer) => Buffer.concat([log, Buffer.alloc(600)])],
  ['without its header', (log: Buffer) => Buffer.from(log).fill(0, 0, 64)],
  ['empty', () => Buffer.alloc(0)],
])('a segment before the last that is %s is refused', async (_, damage) => {
  const disk = await segmentedLog();
  disk.put(second, damage(disk.get(second)));
  expect((await refusal(disk)).file).toBe(second);
});

test.each([first, second])('a log without its segment %s is refused', async (path) => {
  const disk = await segmentedLog();
  disk.files.delete(path);
  const error = await refusal(disk);
  expect([error.file, error.message]).toEqual([path, expect.stringContaining('is missing')]);
});

test('segments in the wrong order are refused', async () => {
  const disk = await segmentedLog();
  const [two, three] = [disk.get(second), disk.get(third)];
  disk.put(second, three);
  disk.put(third, two);
  expect((await refusal(disk)).message).toContain('not the continuation');
});

test('bytes missing before a later batch of the same commit are refused', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 4 * 1024 * 1024 });
  await commit(log, ['x'.repeat(1_200_000), 'y']);
  const bytes = disk.get(first);
  disk.put(first, Buffer.concat([bytes.subarray(0, 5000), bytes.subarray(15_000)]));
  expect((await refusal(disk.copy())).atByte).toBe(firstBatchAt);
});

test('a segment of another course of the same log is refused', async () => {
  const start = await logOf(['a']);
  const courses: MemoryDisk[] = [];
  for (const names of ['bc', 'xy']) {
    const { disk, log } = await openOn(start.copy(), { segmentBytesMax: 3000 });
    for (const name of names) await commit(log, [record(name)]);
    courses.push(disk.copy());
  }
  const [one, other] = courses as [MemoryDisk, MemoryDisk];
  one.put(second, other.get(second));
  expect((await refusal(one)).message).toContain('not the continuation');
});

test('a batch of another course of the same log is refused', async () => {
  const start = await logOf(['a']);
  const courses: Buffer[] = [];
  for (const names of ['bc', 'xy']) {
    const { disk, log } = await openOn(start.copy());
    for (const name of names) await commit(log, [record(name)]);
    courses.push(disk.get(first));
  }
  const [one, other] = courses as [Buffer, Buffer];
  const mixed = Buffer.concat([
    one.subarray(0, -recordBatchBytes),
    other.subarray(-recordBatchBytes),
  ]);
  start.put(first, mixed);
  expect((await refusal(start)).message).toContain('gap');
});

test('a segment of another log is refused', async () => {
  const disk = await segmentedLog();
  disk.put(third, (await segmentedLog()).get(third));
  expect((await refusal(disk)).message).toContain('belongs to another log');
});

test('a format version that is not known is refused', async () => {
  const disk = await segmentedLog();
  disk.get(third).writeUInt16BE(3, 4);
  expect((await refusal(disk)).message).toMatch(/log format 3.*or a newer one/);
});

test.each([
  ['empty', Buffer.alloc(0)],
  ['cut in its header', Buffer.from('AIQL')],
  ['only zeros', Buffer.alloc(64)],
])(
  'a last segment that is %s is refused: no crash leaves one, for its header comes first',
  async (_, content) => {
    const disk = await segmentedLog();
    disk.put('/log/0000000004.log', content);
    expect((await refusal(disk)).message).toContain(`was cut to ${content.length} bytes`);
  },
);

test('a last segment with batches behind a damaged header is refused', async () => {
  const disk = await segmentedLog();
  disk.get(third).fill(0, 0, 64);
  expect((await refusal(disk)).message).toContain('header of this segment is damaged');
});

test('a record that holds a copy of the log is no evidence of anything', async () => {
  const disk = await logOf(['a'], ['b']);
  const { log } = await openOn(disk);
  log.append(Buffer.from(disk.get(first)));
  while (log.durableOffset < log.endOffset) await new Promise(setImmediate);
  const whole = Buffer.from(disk.get(first));
  unnoteLastCommit(disk);
  cut(disk, first, whole.length - 10);
  const { replayed, report } = await openOn(disk);
  expect(replayed).toEqual([record('a'), record('b')]);
  expect(report.tornTail).not.toBeNull();
});

test('a segment that the disk cannot read is named, and nothing is changed', async () => {
  const disk = await segmentedLog();
  disk.before = (operation, path) => {
    if (operation === 'readFile' && path === second) throw new Error('EIO: i/o error, read');
  };
  await expect(openOn(disk)).rejects.toThrow(`${second}: the disk could not read`);
});

test('what replay throws ends the opening and changes nothing', async () => {
  const disk = await logOf(['a']);
  const before = Buffer.from(disk.get(first));
  const { openLog } = await import('../../../../core/broker/log/open.ts');
  const options = {
    dir: '/log',
    segmentBytesMax: 1000,
    onDurable: () => undefined,
    onProblem: () => undefined,
    onFailure: () => undefined,
    summarize: keepAll,
    disk,
  };
  const opening = openLog(options, {
    begin: () => undefined,
    record: () => {
      throw new Error('no such record type');
    },
  });
  await expect(opening).rejects.toThrow('no such record type');
  expect(disk.get(first)).toEqual(before);
});
