/** The end of the log is proven by a file beside it: a last segment that was cut or removed is noticed. */

import { expect, test } from 'vitest';
import { LogDamagedError } from '../../../../core/broker/log/contract.ts';
import { decodeProof } from '../../../../core/broker/log/format/proven-end.ts';
import { recoveryNotices } from '../../../../core/broker/recovery-notices.ts';
import {
  commit,
  logDir,
  nextTurn,
  type OpenedLog,
  openOn,
} from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const proven = `${logDir}/proven`;
const segment = (number: number) => `${logDir}/${String(number).padStart(10, '0')}.log`;
const record = (offset: number) => `record ${offset} `.repeat(20);

async function logOf(records: number, segmentBytesMax = 100_000): Promise<OpenedLog> {
  const opened = await openOn(new MemoryDisk(), { segmentBytesMax });
  for (let offset = 1; offset <= records; offset++) await commit(opened.log, [record(offset)]);
  return opened;
}

/** What the start says to the files as they are. */
async function startOn(disk: MemoryDisk): Promise<OpenedLog | LogDamagedError> {
  const files = JSON.stringify([...disk.files]);
  try {
    return await openOn(disk);
  } catch (error) {
    if (!(error instanceof LogDamagedError)) throw error;
    expect(JSON.stringify([...disk.files]), 'a start that refuses changes nothing').toBe(files);
    return error;
  }
}

async function refusalOf(disk: MemoryDisk): Promise<string> {
  const started = await startOn(disk);
  if (started instanceof LogDamagedError) return started.message;
  expect.fail(`served ${started.log.endOffset} records`);
}

function cut(disk: MemoryDisk, path: string, bytes: number): MemoryDisk {
  const copy = disk.copy();
  copy.put(path, disk.get(path).subarray(0, bytes));
  return copy;
}

function without(disk: MemoryDisk, ...paths: string[]): MemoryDisk {
  const copy = disk.copy();
  for (const path of paths) copy.files.delete(path);
  return copy;
}

test('a last segment that was cut below what a later commit proved is refused, wherever it was cut', async () => {
  const { disk } = await logOf(12);
  const { bytes, offset } = endOf(disk);
  expect(offset).toBeGreaterThanOrEqual(11);
  for (let length = 0; length < bytes; length++) {
    const started = await startOn(cut(disk, segment(1), length));
    if (!(started instanceof LogDamagedError)) expect.fail(`cut at ${length}: served`);
  }
  expect((await openOn(cut(disk, segment(1), bytes))).log.endOffset).toBe(offset);
});

function endOf(disk: MemoryDisk) {
  const proof = decodeProof(disk.get(proven));
  if (proof.state !== 'good') expect.fail('the proof is not good');
  return proof.end;
}

test('after a rest, after a rotation and after a close nothing may be missing, and a power cut keeps that', async () => {
  const rested = await openOn(new MemoryDisk(), { markIdleMs: 1 });
  await commit(rested.log, [record(1), record(2)]);
  while (endOf(rested.disk).offset < 2) await nextTurn();
  const closed = await logOf(3);
  await closed.log.close();
  const rotated = await logOf(9, 1000);
  expect(rotated.log.segments.length).toBeGreaterThan(2);
  const last = rotated.log.segments.at(-1)?.number ?? 0;
  for (const [disk, path] of [
    [rested.disk, segment(1)],
    [closed.disk, segment(1)],
    [rotated.disk, segment(last)],
  ] as const) {
    await expect(openOn(disk.copy())).resolves.toBeDefined();
    const cutOff = disk.afterPowerCut();
    await refusalOf(without(cutOff, path));
    await refusalOf(cut(cutOff, path, 0));
  }
});

test('a removed last segment is refused, and every one before it', async () => {
  const { disk, log } = await logOf(9, 1000);
  const last = log.segments.at(-1)?.number ?? 0;
  expect(last).toBeGreaterThan(2);
  const gone: string[] = [];
  for (let number = last; number >= 1; number--) {
    gone.push(segment(number));
    const summaries = [...disk.files.keys()].filter((path) => path.endsWith('.summary'));
    const message = await refusalOf(without(disk, ...gone, ...summaries));
    expect(message).toMatch(/records? .*that (was|were) safely on disk/);
    expect(message).toContain(`rm -f '${proven}'`);
  }
});

test('the refusal says what is gone and how to accept that, and then the log goes on', async () => {
  const { disk } = await logOf(12);
  const { bytes, offset } = endOf(disk);
  const damaged = cut(disk, segment(1), bytes >> 1);
  const message = await refusalOf(damaged);
  expect(message).toContain(segment(1));
  expect(message).toMatch(
    new RegExp(`${offset - 5} records \\(\\d+ bytes\\) that were safely on disk are gone`),
  );
  expect(message).toContain('aiq broker restore');
  expect(message).toContain('aiq broker salvage');
  const accepted = await openOn(without(damaged, proven));
  expect(accepted.log.endOffset).toBe(5);
  expect(accepted.report.proof).toBe('missing');
  await accepted.log.close();
  expect(endOf(accepted.disk).offset).toBe(5);
});

test('a segment whose header is not whole is refused, proven or not: a crash leaves no such file', async () => {
  const { disk } = await logOf(9, 1000);
  const last =
    [...disk.files.keys()]
      .filter((path) => path.endsWith('.log'))
      .sort()
      .at(-1) ?? '';
  for (const length of [0, 1, 40, 95]) {
    expect(await refusalOf(without(cut(disk, last, length), proven))).toContain(`rm -f '${last}'`);
  }
});

test('zeros, flipped bits and exchanged bytes below the proven end are refused as damage', async () => {
  const { disk } = await logOf(3);
  const { bytes } = endOf(disk);
  for (const at of [100, bytes - 40]) {
    const zeros = disk.copy();
    zeros.put(segment(1), Buffer.from(disk.get(segment(1))).fill(0, at));
    expect(await refusalOf(zeros)).toContain('safely on disk');
  }
});

test('a log without the file is taken as it is, and gets it', async () => {
  const { disk } = await logOf(5);
  const { log, report, disk: opened } = await openOn(without(disk, proven));
  expect([log.endOffset, report.proof]).toEqual([5, 'missing']);
  expect(endOf(opened).offset).toBe(5);
});

test('a damaged file alone costs nothing: the other slot holds, or it is made again', async () => {
  const { disk } = await logOf(6);
  for (let byte = 0; byte < disk.get(proven).length; byte++) {
    const one = disk.copy();
    one.put(proven, Buffer.from(disk.get(proven)));
    one.get(proven)[byte]! ^= 0x10;
    expect((await openOn(one)).log.endOffset).toBe(6);
  }
  const both = disk.copy();
  both.put(proven, Buffer.alloc(disk.get(proven).length));
  const { log, report } = await openOn(both);
  expect([log.endOffset, report.proof]).toEqual([6, 'damaged']);
  expect(endOf(both).offset).toBe(6);
});

test('the segments of another log are refused', async () => {
  const mine = await logOf(3);
  const other = await logOf(3);
  const mixed = mine.disk.copy();
  mixed.put(segment(1), other.disk.get(segment(1)));
  expect(await refusalOf(mixed)).toContain('another log');
});

test('a proof that cannot be read is no damage: the start says so and can be repeated', async () => {
  const { disk } = await logOf(3);
  disk.before = (operation, path) => {
    if (operation === 'readFile' && path === proven) throw new Error('EIO: i/o error, read');
  };
  await expect(openOn(disk)).rejects.toThrow(
    `${proven}: the disk could not read this file, which proves`,
  );
  disk.before = () => undefined;
  expect((await openOn(disk)).log.endOffset).toBe(3);
});

test('a commit costs one write of the proof and no sync', async () => {
  const { disk, log } = await logOf(1);
  const before = { ...disk.counts };
  for (let offset = 2; offset <= 21; offset++) await commit(log, [record(offset)]);
  const more = (operation: 'datasync' | 'write') =>
    (disk.counts[operation] ?? 0) - (before[operation] ?? 0);
  expect(more('datasync')).toBe(20);
  expect(more('write')).toBeLessThanOrEqual(41);
});

test('behind the proven end a write that was cut short is a torn tail as ever', async () => {
  const { disk } = await logOf(6);
  const torn = disk.copy();
  torn.put(segment(1), Buffer.concat([disk.get(segment(1)), Buffer.alloc(20)]));
  const { report, log } = await openOn(torn);
  expect([report.tornTail?.bytes, log.endOffset]).toEqual([20, 6]);
  expect(recoveryNotices(report, 0).join()).not.toContain('no accepted job');
});
