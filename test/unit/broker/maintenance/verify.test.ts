/** What `verifyLog` finds in whole and damaged logs, and that it changes nothing. */

import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../../core/broker/log/disk/disk.ts';
import {
  decodeSegmentHeader,
  noLogStart,
  segmentHeaderBytes,
} from '../../../../core/broker/log/format/format.ts';
import { describeProblem } from '../../../../core/broker/maintenance/survey/problems.ts';
import { Survey } from '../../../../core/broker/maintenance/survey/survey.ts';
import { verifyLog } from '../../../../core/broker/maintenance/verify.ts';
import {
  batchesIn,
  batchPlaces,
  contentOf,
  delivered,
  ended,
  enqueued,
  flipByte,
  logIdOf,
  makeLater,
  plainLog,
  segmentPath,
  started,
  temporaryDir,
  writeLog,
} from './logs.ts';

test('a whole log has no problem, and its jobs are counted', async () => {
  const dir = await writeLog(plainLog);
  const before = contentOf(dir);
  expect(await verifyLog(dir)).toMatchObject({
    segments: 3,
    batches: 7,
    records: 10,
    firstOffset: 1,
    endOffset: 10,
    clean: true,
    looseEnd: null,
    jobs: { live: 4, dead: 0, finished: 2 },
    problems: [],
    notices: [],
  });
  expect(contentOf(dir)).toEqual(before);
});

test('damage in a batch is told with its place and the records at stake', async () => {
  const dir = await writeLog(plainLog);
  const [, second = 0] = batchPlaces(dir, 2);
  flipByte(dir, 2, second + 70);
  const { problems, jobs } = await verifyLog(dir);
  expect(problems).toMatchObject([
    { kind: 'batch', file: segmentPath(dir, 2), atByte: second, firstOffset: 6, records: 2 },
  ]);
  expect(problems.map(describeProblem)).toEqual([
    `${segmentPath(dir, 2)}: byte ${second}: the bytes of a batch are damaged; 2 records from 6 on may be lost`,
  ]);
  expect(jobs).toBe(null);
});

test('damage of a header of a batch is counted by what comes next', async () => {
  const dir = await writeLog(plainLog);
  const [first = 0] = batchPlaces(dir, 2);
  flipByte(dir, 2, first + 8);
  expect((await verifyLog(dir)).problems).toMatchObject([{ atByte: first, records: 2 }]);
});

test('every byte of a sealed segment is guarded', async () => {
  const dir = await writeLog(plainLog);
  const identity = { logId: Buffer.from(logIdOf(dir), 'hex'), logStart: noLogStart };
  const files = [1, 2, 3].map((number) => {
    const path = segmentPath(dir, number);
    return { number, path, bytes: readFileSync(path), unreadable: null };
  });
  const damaged = files[1]?.bytes ?? Buffer.alloc(0);
  const problemsNow = () => {
    const survey = new Survey(identity, 3);
    for (const file of files) survey.add(file);
    return survey.problems.length;
  };
  expect(problemsNow()).toBe(0);
  for (let at = 0; at < damaged.length; at++) {
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(problemsNow(), `byte ${at}`).toBeGreaterThan(0);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
  }
});

test('each of several problems is told, in its place', async () => {
  const dir = await writeLog(plainLog);
  flipByte(dir, 1, 40);
  const [first = 0] = batchPlaces(dir, 3);
  flipByte(dir, 3, first + 80);
  expect((await verifyLog(dir)).problems).toMatchObject([
    { kind: 'header', atByte: 0, bytes: segmentHeaderBytes, records: 0 },
    { kind: 'batch', atByte: first, firstOffset: 8, records: 2 },
  ]);
});

test('a missing segment is told with what it held', async () => {
  const dir = await writeLog(plainLog);
  rmSync(segmentPath(dir, 2));
  expect((await verifyLog(dir)).problems).toMatchObject([
    { kind: 'missing', file: segmentPath(dir, 2), firstOffset: 4, records: 4 },
  ]);
});

test('missing first segments are told', async () => {
  const dir = await writeLog(plainLog);
  rmSync(segmentPath(dir, 1));
  expect((await verifyLog(dir)).problems).toMatchObject([
    { kind: 'missing', file: segmentPath(dir, 1), firstOffset: 1, records: 3 },
  ]);
});

test.each([
  ['cut to nothing', (path: string) => truncateSync(path, 0), { records: 3, firstOffset: 8 }],
  ['cut between two batches', cutLastBatch, { records: 1, firstOffset: 10 }],
  ['removed', (path: string) => rmSync(path), { records: 3, firstOffset: 8 }],
] as const)(
  'a last segment that was %s is told, with the records that are gone',
  async (_, damage, expected) => {
    const dir = await writeLog(plainLog);
    damage(segmentPath(dir, 3));
    const { problems, looseEnd } = await verifyLog(dir);
    expect(problems).toMatchObject([expected]);
    expect(looseEnd).toBeNull();
    rmSync(join(dir, 'log', 'proven'));
    const unproven = await verifyLog(dir);
    expect(unproven.problems.length).toBeLessThanOrEqual(1);
  },
);

/** Leaves the batch before the last one and the clean mark out. */
function cutLastBatch(path: string): void {
  const { cursor } = decodeSegmentHeader(readFileSync(path)) as { cursor: { logId: Uint8Array } };
  const places = batchesIn(readFileSync(path), cursor.logId).map(({ atByte }) => atByte);
  truncateSync(path, places.at(-2));
}

test('a log of which no segment is left is told as damaged, not as no log', async () => {
  const dir = await writeLog(plainLog);
  for (const number of [1, 2, 3]) rmSync(segmentPath(dir, number));
  await expect(verifyLog(dir)).rejects.toThrow('10 records that were safely on disk are gone');
});

test('a segment of another log is told as such', async () => {
  const dir = await writeLog(plainLog);
  const other = await writeLog(plainLog);
  writeFileSync(segmentPath(dir, 2), readFileSync(segmentPath(other, 2)));
  expect((await verifyLog(dir)).problems).toMatchObject([{ kind: 'foreign', records: 4 }]);
});

test('a segment of another format is told as such, not as damage', async () => {
  const dir = await writeLog(plainLog);
  makeLater(dir, 3);
  const { problems } = await verifyLog(dir);
  expect(problems).toMatchObject([{ kind: 'version', file: segmentPath(dir, 3), atByte: 4 }]);
});

test('a damaged version is told as damage, for the batches are of this one', async () => {
  const dir = await writeLog(plainLog);
  flipByte(dir, 3, 4);
  flipByte(dir, 2, 5);
  expect((await verifyLog(dir)).problems).toMatchObject([
    { kind: 'header', file: segmentPath(dir, 2) },
    { kind: 'header', file: segmentPath(dir, 3) },
  ]);
});

test('the end of a write that a crash cut short is no damage', async () => {
  const dir = await writeLog({ ...plainLog, clean: false });
  const [, second = 0] = batchPlaces(dir, 3);
  truncateSync(segmentPath(dir, 3), second + 30);
  const before = contentOf(dir);
  expect(await verifyLog(dir)).toMatchObject({
    clean: false,
    looseEnd: { file: segmentPath(dir, 3), atByte: second, bytes: 30 },
    endOffset: 9,
    jobs: { live: 3 },
    problems: [],
  });
  expect(contentOf(dir)).toEqual(before);
});

test('full-length damage at the end is a problem, for it may be of accepted jobs', async () => {
  const dir = await writeLog({ ...plainLog, clean: false });
  const [, second = 0] = batchPlaces(dir, 3);
  flipByte(dir, 3, second + 80);
  expect((await verifyLog(dir)).problems).toMatchObject([
    { kind: 'batch', firstOffset: 10, records: 1 },
  ]);
});

test('records that contradict each other are told', async () => {
  const dir = await writeLog({
    segments: [
      [
        [started(1), enqueued(1)],
        [delivered(2), ended(2)],
      ],
    ],
  });
  const [problem, ...others] = (await verifyLog(dir)).problems;
  expect(problem).toMatchObject({ kind: 'record', firstOffset: 3 });
  expect(problem?.message).toMatch(
    /^record 3: the log has a record about job \S+, which it never accepted/,
  );
  expect(others).toEqual([]);
});

test('what only all records together show to be missing is told', async () => {
  const blob = { sha256: new Uint8Array(32).fill(9), totalBytes: 20 };
  const dir = await writeLog({
    segments: [[[started(1), { kind: 'blobStored', ...blob, atMs: 1 }]]],
  });
  const { problems, jobs } = await verifyLog(dir);
  expect(problems).toMatchObject([{ kind: 'record', file: segmentPath(dir, 1), records: null }]);
  expect(problems[0]?.message).toMatch(/^all records together: blob \w+ lacks bytes/);
  expect(jobs).toBe(null);
});

test('a log that lost its front to compaction is whole', async () => {
  const logStart = { segment: 5, offset: 101, writtenAt: 103 };
  const start = { segment: 5, nextOffset: 101, nextSequence: 40, logStart };
  const dir = await writeLog({
    start,
    // Record 101 is about a job whose acceptance was dropped.
    segments: [[[ended(1), started(3), enqueued(2)]], [[delivered(2, 3)]]],
  });
  expect(await verifyLog(dir)).toMatchObject({
    segments: 2,
    firstOffset: 101,
    endOffset: 104,
    jobs: { live: 1 },
    problems: [],
  });
});

function eio(call: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(`EIO: i/o error, ${call}`), { code: 'EIO' }));
}

/** A disk that cannot read one file. */
function failingDisk(failing: string): Disk {
  return {
    ...nodeDisk,
    readFile: (path) => (path === failing ? eio('read') : nodeDisk.readFile(path)),
  };
}

test('a segment that the disk cannot read is told, and all others are read', async () => {
  const dir = await writeLog(plainLog);
  const path = segmentPath(dir, 2);
  const { problems, records } = await verifyLog(dir, { disk: failingDisk(path) });
  expect(problems).toMatchObject([
    { kind: 'unreadable', file: path, message: expect.stringContaining('EIO: i/o error, read') },
    { kind: 'header', firstOffset: 4, records: 4 },
  ]);
  expect(records).toBe(3 + 3);
});

test('an end that the disk cannot read is never taken for a write that was cut short', async () => {
  const dir = await writeLog({ ...plainLog, clean: false });
  const disk = failingDisk(segmentPath(dir, 3));
  const { problems, looseEnd } = await verifyLog(dir, { disk });
  expect(problems.map(({ kind }) => kind)).toEqual(['unreadable', 'header']);
  expect(looseEnd).toBe(null);
});

test('a segment that cannot be opened is told as unreadable, also at the end', async () => {
  const dir = await writeLog(plainLog);
  const failed = (path: string) => (path === segmentPath(dir, 3) ? eio('open') : null);
  const disk = {
    ...nodeDisk,
    readFile: (path: string) => failed(path) ?? nodeDisk.readFile(path),
    openForReading: (path: string) => failed(path) ?? nodeDisk.openForReading(path),
  };
  expect((await verifyLog(dir, { disk })).problems).toMatchObject([
    { kind: 'unreadable', message: 'the disk could not read this segment: EIO: i/o error, open' },
    { kind: 'header', firstOffset: 8, records: 3 },
  ]);
});

test('a segment that may not be read is no damage', async () => {
  const dir = await writeLog(plainLog);
  const forbidden = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  const disk = { ...nodeDisk, readFile: () => Promise.reject(forbidden) };
  await expect(verifyLog(dir, { disk })).rejects.toThrow('EACCES');
});

test('a folder without a log is refused', async () => {
  const dir = temporaryDir();
  await expect(verifyLog(dir)).rejects.toThrow(`${dir}/log holds no segment of a log`);
});

test('a log that is compacted while it is read is read again', async () => {
  const logStart = { segment: 3, offset: 8, writtenAt: 10 };
  const dir = await writeLog(plainLog);
  const compacted = await writeLog({
    start: { segment: 3, nextOffset: 8, nextSequence: 5, logStart },
    segments: [[[enqueued(4), enqueued(5)], [enqueued(6)]], [[started(2)]]],
  });
  // It is of another log than what takes its place here.
  rmSync(join(dir, 'log', 'proven'));
  let reads = 0;
  const disk = {
    ...nodeDisk,
    readFile: (path: string) => {
      reads += 1;
      if (reads === 2) {
        rmSync(segmentPath(dir, 1));
        rmSync(segmentPath(dir, 2));
        for (const number of [3, 4]) {
          writeFileSync(segmentPath(dir, number), readFileSync(segmentPath(compacted, number)));
        }
      }
      return nodeDisk.readFile(path);
    },
  };
  expect(await verifyLog(dir, { disk })).toMatchObject({
    firstOffset: 8,
    segments: 2,
    problems: [],
  });
});
