/** The feeder: everything durable arrives once and in order, and memory is bounded meanwhile. */

import { afterEach, expect, test, vi } from 'vitest';
import { Backlog } from '../../../../core/broker/search/backlog.ts';
import { type Chunk, ChunkBuilder, recordsOf } from '../../../../core/broker/search/chunk.ts';
import { Feeder } from '../../../../core/broker/search/feeder.ts';
import { patienceMs } from '../../../support/patience.ts';

/** A log in memory. A record says its offset; what it is of is its first byte. */
class FakeLog {
  firstOffset = 1;
  durableOffset = 0;
  reads = 0;
  /** How a record is read. */
  read: (offset: number) => Uint8Array | Promise<Uint8Array> = (offset) => this.record(offset);

  record(offset: number, bytes = 16): Uint8Array {
    this.reads++;
    if (offset < this.firstOffset) throw new RangeError(`record ${offset} was dropped`);
    const record = new Uint8Array(bytes);
    record[0] = 2;
    new DataView(record.buffer).setUint32(4, offset);
    return record;
  }
}

const offsetsOf = (chunks: readonly Chunk[]): number[] =>
  chunks.flatMap((chunk) =>
    [...recordsOf(chunk)].map((record) =>
      new DataView(record.buffer, record.byteOffset).getUint32(4),
    ),
  );

const upTo = (count: number, from = 1): number[] =>
  Array.from({ length: count - from + 1 }, (_, index) => index + from);

/** Waits until the check holds, also on a machine that is busy with other tests. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: patienceMs });

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function feederOn(log: FakeLog) {
  const chunks: Chunk[] = [];
  const notices: string[] = [];
  const onGap = vi.fn<() => void>();
  const feeder = new Feeder({
    source: log,
    send: (chunk) => chunks.push(chunk),
    onGap,
    onNotice: (text) => notices.push(text),
  });
  stops.push(() => feeder.stop());
  return { feeder, chunks, notices, onGap };
}

test('what is durable arrives once, in order, and from the offset on that the history has', async () => {
  const log = new FakeLog();
  const { feeder, chunks } = feederOn(log);
  log.durableOffset = 5;
  feeder.onDurable();
  feeder.begin(2);
  await eventually(() => expect(offsetsOf(chunks)).toEqual([3, 4, 5]));
  log.durableOffset = 7;
  feeder.onDurable();
  await eventually(() => expect(offsetsOf(chunks)).toEqual([3, 4, 5, 6, 7]));
  expect(chunks.at(-1)?.upTo).toBe(7);
});

test('a history that is empty begins at the first record that the log still has', async () => {
  const log = new FakeLog();
  log.firstOffset = 100;
  log.durableOffset = 103;
  const { feeder, chunks, onGap } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(offsetsOf(chunks)).toEqual([100, 101, 102, 103]));
  expect(onGap).not.toHaveBeenCalled();
});

test('records that concern no job are not sent, but counted', async () => {
  const log = new FakeLog();
  log.read = (offset) => (offset % 2 === 0 ? new Uint8Array([18]) : log.record(offset));
  log.durableOffset = 6;
  const { feeder, chunks } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(chunks.at(-1)?.upTo).toBe(6));
  expect(offsetsOf(chunks)).toEqual([1, 3, 5]);
});

test('a history that does not keep up is not fed until it has room again', async () => {
  const log = new FakeLog();
  log.read = (offset) => log.record(offset, 60_000);
  log.durableOffset = 200;
  const { feeder, chunks } = feederOn(log);
  feeder.begin(0);
  const sentBytes = (): number => chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  await eventually(() => expect(sentBytes()).toBeGreaterThanOrEqual(6 * 1024 * 1024));
  const before = log.reads;
  feeder.onDurable();
  feeder.flush();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(log.reads).toBe(before);
  expect(sentBytes()).toBeLessThan(8_500_000);
  for (let taken = 0; taken < chunks.length; taken++) {
    feeder.applied(chunks[taken]?.bytes.length ?? 0);
    feeder.flush();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await eventually(() => expect(offsetsOf(chunks)).toEqual(upTo(200)));
});

test('a chunk has no more than a thousand records, and records on disk are waited for', async () => {
  const log = new FakeLog();
  log.read = async (offset) => log.record(offset);
  log.durableOffset = 4_500;
  const { feeder, chunks } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(chunks.at(-1)?.upTo).toBe(4_500));
  expect(chunks.map(({ upTo: end }) => end)).toEqual([1_000, 2_000, 3_000, 4_000, 4_500]);
  expect(offsetsOf(chunks)).toEqual(upTo(4_500));
});

test('a history that lost touch with the log is told to begin anew', async () => {
  const log = new FakeLog();
  log.durableOffset = 9;
  const { feeder, chunks, onGap } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(chunks).toHaveLength(1));
  log.firstOffset = 15;
  log.durableOffset = 20;
  feeder.flush();
  await eventually(() => expect(onGap).toHaveBeenCalledOnce());
  feeder.begin(0);
  await eventually(() => expect(offsetsOf(chunks)).toEqual([...upTo(9), ...upTo(20, 15)]));
});

/** What the log throws for a record whose checksum does not fit. */
function damaged(): Error {
  return Object.assign(new Error('checksum'), { name: 'LogDamagedError' });
}

test('a record that is damaged is left out, and said once', async () => {
  const log = new FakeLog();
  log.read = (offset) =>
    offset < 3 ? Promise.reject(damaged()) : Promise.resolve(log.record(offset));
  log.durableOffset = 4;
  const { feeder, chunks, notices } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(offsetsOf(chunks)).toEqual([3, 4]));
  expect(notices).toEqual([expect.stringMatching(/record 1 of the log is damaged .*: checksum/)]);
});

test('a record that is found damaged at once is left out as well', async () => {
  const log = new FakeLog();
  log.read = (offset) => {
    if (offset === 1) throw damaged();
    return log.record(offset);
  };
  log.durableOffset = 2;
  const { feeder, chunks, notices, onGap } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(offsetsOf(chunks)).toEqual([2]));
  expect(notices).toHaveLength(1);
  expect(onGap).not.toHaveBeenCalled();
});

test('a log that cannot be read now is read again later, and no record is left out', async () => {
  const log = new FakeLog();
  let isClosed = true;
  log.read = (offset) =>
    isClosed ? Promise.reject(new Error('the log is closed')) : log.record(offset);
  log.durableOffset = 2;
  const { feeder, chunks, notices, onGap } = feederOn(log);
  feeder.begin(0);
  await eventually(() => expect(notices).toHaveLength(1));
  feeder.onDurable();
  isClosed = false;
  await eventually(() => expect(offsetsOf(chunks)).toEqual([1, 2]));
  expect(notices).toEqual([
    expect.stringMatching(/cannot be read, searches miss.*the log is closed/),
  ]);
  expect(onGap).not.toHaveBeenCalled();
});

test('what was being read when the history ended is not sent to the next one', async () => {
  const log = new FakeLog();
  const gate = Promise.withResolvers<void>();
  log.read = async (offset) => {
    await gate.promise;
    return log.record(offset);
  };
  log.durableOffset = 5;
  const { feeder, chunks } = feederOn(log);
  feeder.begin(0);
  feeder.stop();
  feeder.begin(3);
  gate.resolve();
  await eventually(() => expect(chunks.at(-1)?.upTo).toBe(5));
  expect(offsetsOf(chunks)).toEqual([4, 5]);
});

test('while it is paused nothing is read; afterwards it catches up', async () => {
  const log = new FakeLog();
  const { feeder, chunks } = feederOn(log);
  feeder.begin(0);
  feeder.pause(true);
  log.durableOffset = 3;
  feeder.onDurable();
  feeder.flush();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(log.reads).toBe(0);
  feeder.pause(false);
  await eventually(() => expect(offsetsOf(chunks)).toEqual([1, 2, 3]));
});

test('a chunk gives back what was put in, empty records included', () => {
  const builder = new ChunkBuilder();
  const records = [new Uint8Array(0), new Uint8Array([7]), new Uint8Array(100_000).fill(3)];
  for (const record of records) builder.add(record);
  const chunk = builder.take(3);
  expect([...recordsOf(chunk)].map((record) => record.slice())).toEqual(records);
  expect(builder.bytes).toBe(0);
  expect([...recordsOf(builder.take(4))]).toEqual([]);
});

test('chunks become transactions of bounded size, in order', () => {
  const backlog = new Backlog();
  const builder = new ChunkBuilder();
  expect([backlog.isEmpty, backlog.isLarge, backlog.take()]).toEqual([true, false, null]);
  for (let upToOffset = 1000; upToOffset <= 8000; upToOffset += 1000) {
    for (let count = 0; count < 1000; count++) builder.add(new Uint8Array([2]));
    backlog.add(builder.take(upToOffset));
  }
  builder.add(new Uint8Array(3_000_000));
  backlog.add(builder.take(8001));
  backlog.add(builder.take(9000));
  expect(backlog.isLarge).toBe(true);
  const portions = Array.from({ length: 4 }, () => backlog.take());
  expect(portions.map((portion) => portion?.upTo)).toEqual([5000, 8001, 9000, undefined]);
  expect(portions.map((portion) => [...(portion?.records ?? [])].length)).toEqual([
    5000, 3001, 0, 0,
  ]);
  expect([backlog.isEmpty, backlog.isLarge]).toEqual([true, false]);
});
