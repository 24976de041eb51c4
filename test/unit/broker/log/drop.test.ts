import { expect, test } from 'vitest';
import { commit, nextTurn, openOn } from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const options = { segmentBytesMax: 1000 };
const recordAt = (offset: number) => `record ${offset} `.repeat(20);
const logFiles = (disk: MemoryDisk) =>
  [...disk.files.keys()].filter((path) => path.endsWith('.log')).sort();
const summaryFiles = (disk: MemoryDisk) =>
  [...disk.files.keys()].filter((path) => path.endsWith('.summary')).sort();

async function logOf(end: number) {
  const opened = await openOn(new MemoryDisk(), options);
  for (let offset = 1; offset <= end; offset++) await commit(opened.log, [recordAt(offset)]);
  while (summaryFiles(opened.disk).length < opened.log.segments.length - 1) await nextTurn();
  return opened;
}

test('segments wholly before the offset go, with their summaries, and their space is free', async () => {
  const { disk, log } = await logOf(40);
  const { segments } = log;
  const kept = segments.find(({ lastOffset }) => lastOffset >= 17)!;
  const before = log.bytes;
  await log.dropBefore(17);
  expect(log.firstOffset).toBe(kept.firstOffset);
  expect(log.segments[0]).toEqual(kept);
  expect(log.bytes).toBeLessThan(before);
  expect(logFiles(disk).length).toBe(log.segments.length);
  expect(summaryFiles(disk).length).toBe(log.segments.length - 1);
  expect(logFiles(disk.afterPowerCut())).toEqual(logFiles(disk));
  expect(() => log.read(kept.firstOffset - 1)).toThrow(RangeError);
  expect(Buffer.from(await log.read(17)).toString()).toBe(recordAt(17));
});

test.each(['read whole', 'read from summaries'])(
  'a log whose first segments were dropped opens with the rest (%s)',
  async (how) => {
    const { disk, log } = await logOf(40);
    await log.dropBefore(17);
    const { firstOffset } = log;
    await commit(log, [recordAt(41)]);
    await log.close();
    const left = disk.copy();
    if (how === 'read whole') for (const path of summaryFiles(left)) left.files.delete(path);
    const again = await openOn(left, options);
    expect(again.compactedUpTo).toBe(40);
    expect(again.log.firstOffset).toBe(firstOffset);
    expect(again.replayed[0]).toBe(recordAt(firstOffset));
    expect(again.replayed.length).toBe(42 - firstOffset);
    expect(again.log.endOffset).toBe(41);
    expect(again.report.summaries > 0).toBe(how === 'read from summaries');
  },
);

test('nothing is dropped before the log start is durable', async () => {
  const { disk, log } = await logOf(40);
  const files = logFiles(disk);
  let release: () => void = () => undefined;
  disk.before = (operation) =>
    operation === 'datasync' ? new Promise((resolve) => (release = resolve)) : undefined;
  const dropping = log.dropBefore(17);
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  expect(logFiles(disk)).toEqual(files);
  disk.before = () => undefined;
  release();
  await dropping;
  expect(logFiles(disk).length).toBeLessThan(files.length);
});

test('the log start is known from every later segment, however often the log changes segments', async () => {
  const { disk, log } = await logOf(20);
  await log.dropBefore(10);
  for (let offset = 21; offset <= 60; offset++) await commit(log, [recordAt(offset)]);
  const first = log.firstOffset;
  const again = await openOn(disk.copy(), options);
  expect([again.compactedUpTo, again.log.firstOffset, again.log.endOffset]).toEqual([
    20,
    first,
    60,
  ]);
  await again.log.dropBefore(45);
  await again.log.close();
  const third = await openOn(again.disk.copy(), options);
  expect(third.compactedUpTo).toBe(60);
  expect(third.replayed.at(-1)).toBe(recordAt(60));
});

test('drops and appends at the same time do not disturb each other', async () => {
  const { disk, log } = await logOf(40);
  const drops = [log.dropBefore(10), log.dropBefore(30), log.dropBefore(20)];
  for (let offset = 41; offset <= 70; offset++) {
    log.append(Buffer.from(recordAt(offset)));
    if (offset % 3 === 0) await nextTurn();
  }
  await Promise.all(drops);
  await log.close();
  const again = await openOn(disk.copy(), options);
  expect(again.log.firstOffset).toBeLessThanOrEqual(30);
  expect(again.replayed).toEqual(
    Array.from({ length: 71 - again.log.firstOffset }, (_, index) =>
      recordAt(again.log.firstOffset + index),
    ),
  );
});

test('the segment that is being written stays, even if nothing in it is needed', async () => {
  const { disk, log } = await logOf(20);
  await log.dropBefore(21);
  expect(logFiles(disk).length).toBe(1);
  await commit(log, [recordAt(21)]);
  await log.close();
  expect((await openOn(disk.copy(), options)).log.endOffset).toBe(21);
});

test('dropping what is gone already, or nothing, states nothing', async () => {
  const { disk, log } = await logOf(20);
  const { write } = disk.counts;
  await log.dropBefore(1);
  await log.dropBefore(2);
  expect(disk.counts.write).toBe(write);
  expect(() => disk.get('/log/0000000001.log')).not.toThrow();
});

test('an offset beyond the end is refused', async () => {
  const { log } = await logOf(5);
  for (const offset of [0, 7, Number.NaN]) {
    await expect(log.dropBefore(offset)).rejects.toBeInstanceOf(RangeError);
  }
  await log.close();
  await expect(log.dropBefore(2)).rejects.toThrow('the log is closed');
});

test('reads that are under way when their segment is dropped still give their record', async () => {
  const { disk, log } = await logOf(40);
  await log.close();
  const again = await openOn(disk.copy(), options);
  const opening = Promise.withResolvers<void>();
  const closed: string[] = [];
  again.disk.before = (operation, path) => {
    if (operation === 'close') closed.push(path);
    return operation === 'read' ? opening.promise : undefined;
  };
  const reading = [1, 2, 3].map(async (offset) => again.log.read(offset));
  const dropping = again.log.dropBefore(30);
  for (let turn = 0; turn < 30; turn++) await nextTurn();
  expect(logFiles(again.disk)).toContain('/log/0000000001.log');
  opening.resolve();
  expect((await Promise.all(reading)).map((record) => Buffer.from(record).toString())).toEqual(
    [1, 2, 3].map(recordAt),
  );
  await dropping;
  // Only then their space is free.
  expect(closed).toContain('/log/0000000001.log');
});

test('a log start does not excuse a segment that is missing above it', async () => {
  const { disk, log } = await logOf(40);
  await log.dropBefore(17);
  await log.close();
  const left = disk.copy();
  left.files.delete(logFiles(left)[0]!);
  await expect(openOn(left, options)).rejects.toThrow('is missing');
});
