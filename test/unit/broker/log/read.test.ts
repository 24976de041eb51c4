import { expect, test } from 'vitest';
import { LogDamagedError } from '../../../../core/broker/log/contract.ts';
import {
  commit,
  nextTurn,
  openOn,
  seededRandom,
  settled,
} from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const bytes = (text: string) => Buffer.from(text, 'latin1');
const text = (record: Uint8Array) => Buffer.from(record).toString('latin1');
const recordAt = (offset: number) => `record ${offset} `.repeat(1 + ((offset * 37) % 60));
const upTo = (end: number) => Array.from({ length: end }, (_, index) => recordAt(index + 1));

/** Many segments with several batches each, none of it in memory. */
async function reopened(records: number, cacheBytesMax: number) {
  const options = { segmentBytesMax: 8000, cacheBytesMax };
  const { disk, log } = await openOn(new MemoryDisk(), options);
  for (let offset = 1; offset <= records; offset += 3) {
    await commit(log, [offset, offset + 1, offset + 2].map(recordAt));
  }
  await log.close();
  return openOn(disk.copy(), options);
}

test('a record is readable from its append on: waiting, being written, durable, sealed', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), { segmentBytesMax: 600 });
  const syncs: (() => void)[] = [];
  let holding = true;
  disk.before = (operation) =>
    operation === 'datasync' && holding ? new Promise((resolve) => syncs.push(resolve)) : undefined;
  log.append(bytes('one'));
  expect(text(log.read(1) as Uint8Array)).toBe('one');
  while (syncs.length === 0) await nextTurn();
  log.append(bytes('two'));
  log.append(bytes('three'));
  expect([1, 2, 3].map((offset) => text(log.read(offset) as Uint8Array))).toEqual([
    'one',
    'two',
    'three',
  ]);
  holding = false;
  syncs[0]!();
  await settled(log);
  await commit(log, ['x'.repeat(500), 'y'.repeat(500)]);
  expect(text(log.read(1) as Uint8Array)).toBe('one');
  expect(text(log.read(3) as Uint8Array)).toBe('three');
  expect(log.segments.length).toBeGreaterThan(1);
});

test('a view that was given out stays good, whatever is appended after it', async () => {
  const { log } = await openOn(new MemoryDisk(), { cacheBytesMax: 0 });
  log.append(bytes('early'));
  const early = log.read(1) as Uint8Array;
  for (let round = 0; round < 30; round++) await commit(log, ['z'.repeat(2000)]);
  expect(text(early)).toBe('early');
});

test('memory that goes round in a bulk load never takes a view that was given out', async () => {
  const { log } = await openOn(new MemoryDisk(), { cacheBytesMax: 300_000 });
  const record = (round: number) => String(round % 10).repeat(100_000);
  await commit(log, [record(1)]);
  const view = log.read(1) as Uint8Array;
  for (let round = 2; round < 20; round++) await commit(log, [record(round)]);
  expect(text(view)).toBe(record(1));
  for (let round = 1; round < 20; round++) expect(text(await log.read(round))).toBe(record(round));
});

test.each([0, 3000, 32 * 1024 * 1024])(
  'every record is read back from its segment (cache of %i bytes)',
  async (cacheBytesMax) => {
    const { log, report } = await reopened(300, cacheBytesMax);
    expect(report.segments).toBeGreaterThan(10);
    const random = seededRandom(seed);
    for (let round = 0; round < 900; round++) {
      const offset = 1 + Math.floor(random() * 300);
      expect(text(await log.read(offset)), `seed ${seed}, offset ${offset}`).toBe(recordAt(offset));
    }
  },
);

test('records beside one that was read come at once, and each segment is opened only once', async () => {
  const { disk, log } = await reopened(30, 1_000_000);
  const opened = () => disk.counts.openForReading ?? 0;
  expect(log.read(4)).toBeInstanceOf(Promise);
  await log.read(4);
  const before = opened();
  expect(text(log.read(5) as Uint8Array)).toBe(recordAt(5));
  await log.read(7);
  expect(opened()).toBe(before);
});

test('simultaneous misses of one batch share one read', async () => {
  const { disk, log } = await reopened(30, 1_000_000);
  const before = disk.counts.read ?? 0;
  const records = await Promise.all([4, 5, 6, 4].map(async (offset) => log.read(offset)));
  expect(records.map(text)).toEqual([4, 5, 6, 4].map(recordAt));
  expect(disk.counts.read).toBe(before + 1);
});

test('the memory for batches that are read again is bounded', async () => {
  const { disk, log } = await reopened(300, 2000);
  for (let offset = 1; offset <= 300; offset++) await log.read(offset);
  const before = disk.counts.read ?? 0;
  for (let offset = 1; offset <= 300; offset += 3) await log.read(offset);
  expect(disk.counts.read! - before).toBeGreaterThan(90);
});

test('an offset that was never appended is refused', async () => {
  const { log } = await reopened(30, 1000);
  for (const offset of [0, -1, 31, 1000, 1.5, Number.NaN]) {
    expect(() => log.read(offset), String(offset)).toThrow(RangeError);
  }
});

test('every flipped bit of a batch that is read is noticed, and no other record suffers', async () => {
  const { disk, log } = await reopened(12, 0);
  const path = '/log/0000000001.log';
  const whole = Buffer.from(disk.get(path));
  // From the first batch with records to the second: header, three records, trailer.
  const from = whole.indexOf('AIQB', 97);
  const to = whole.indexOf('AIQB', from + 1);
  for (let bit = from * 8; bit < to * 8; bit++) {
    whole[bit >> 3]! ^= 1 << (bit & 7);
    disk.files.get(path)!.bytes = whole;
    const error: unknown = await Promise.resolve(log.read(2)).catch((reason: unknown) => reason);
    if (!(error instanceof LogDamagedError)) expect.fail(`bit ${bit} was not noticed`);
    expect([error.file, error.atByte]).toEqual([path, from]);
    whole[bit >> 3]! ^= 1 << (bit & 7);
  }
  expect(text(await log.read(2))).toBe(recordAt(2));
  expect(text(await log.read(5))).toBe(recordAt(5));
});

test('a batch of another place or another log is not taken for the right one', async () => {
  const { disk, log } = await reopened(12, 0);
  const path = '/log/0000000001.log';
  const bytesThere = disk.get(path);
  const starts = [...bytesThere.toString('latin1').matchAll(/AIQB/g)].map(({ index }) => index);
  const swapped = Buffer.from(bytesThere);
  bytesThere.copy(swapped, starts[1], starts[2], starts[3]);
  disk.files.get(path)!.bytes = swapped;
  await expect(log.read(1)).rejects.toBeInstanceOf(LogDamagedError);
});

test('a batch of another course of the same log is not taken for the right one', async () => {
  const start = (await openOn(new MemoryDisk())).disk;
  const courses = [];
  for (const name of ['one', 'two']) {
    const opened = await openOn(start.copy(), { cacheBytesMax: 0 });
    await commit(opened.log, [name]);
    courses.push(opened);
  }
  const [one, two] = courses;
  const path = '/log/0000000001.log';
  expect(text(await one!.log.read(1))).toBe('one');
  one!.disk.files.get(path)!.bytes = two!.disk.get(path);
  await expect(one!.log.read(1)).rejects.toBeInstanceOf(LogDamagedError);
});

test.each(['openForReading', 'read'] as const)(
  'a failing %s names the file, is no failure of the log, and the next one works',
  async (failing) => {
    const { disk, log, failures } = await reopened(12, 0);
    disk.before = (operation) => {
      if (operation === failing) throw new Error('EIO');
    };
    await expect(log.read(1)).rejects.toThrow('/log/0000000001.log: the disk could not read');
    disk.before = () => undefined;
    expect(text(await log.read(1))).toBe(recordAt(1));
    await log.close();
    expect(failures).toEqual([]);
  },
);

test('what is in memory is readable after close, and nothing else is', async () => {
  const { log } = await reopened(30, 1_000_000);
  await log.read(1);
  await log.close();
  expect(text(log.read(2) as Uint8Array)).toBe(recordAt(2));
  await expect(log.read(20)).rejects.toThrow('the log is closed');
});

test('a log with large, tiny and empty records gives each of them back', async () => {
  const records = ['', 'x', 'L'.repeat(300_000), '', ...upTo(400), 'M'.repeat(131_068), 'end'];
  const { disk, log } = await openOn(new MemoryDisk());
  await commit(log, records);
  for (const [index, record] of records.entries()) {
    expect(text(await log.read(index + 1))).toBe(record);
  }
  const again = await openOn(disk.copy());
  for (const [index, record] of records.entries()) {
    expect(text(await again.log.read(index + 1))).toBe(record);
  }
});
