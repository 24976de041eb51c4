/** `backupLog` and `restoreLog` on logs at rest, and on logs that change while they are read. */

import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FolderLockedError, lockFolder } from '../../../../core/broker/folder/folder-lock.ts';
import { LogDamagedError } from '../../../../core/broker/log/contract.ts';
import { type Disk, nodeDisk } from '../../../../core/broker/log/disk/disk.ts';
import { backupLog } from '../../../../core/broker/maintenance/backup.ts';
import { restoreLog } from '../../../../core/broker/maintenance/restore.ts';
import { verifyLog } from '../../../../core/broker/maintenance/verify.ts';
import {
  batchPlaces,
  contentOf,
  delivered,
  ended,
  enqueued,
  flipByte,
  logIdOf,
  logStartBatch,
  plainLog,
  recordsOf,
  segmentPath,
  started,
  temporaryDir,
  writeLog,
} from './logs.ts';

test('a backup is a copy of the segments, byte for byte', async () => {
  const dir = await writeLog(plainLog);
  const to = join(temporaryDir(), 'new', 'backup');
  const before = contentOf(dir);
  const { copy } = await backupLog(dir, to);
  expect(copy).toMatchObject({ endOffset: 10, records: 10, problems: [], logDir: `${to}/log` });
  expect(readdirSync(to)).toEqual(['log']);
  for (const number of [1, 2, 3]) {
    expect(readFileSync(segmentPath(to, number))).toEqual(readFileSync(segmentPath(dir, number)));
  }
  expect(contentOf(dir)).toEqual(before);
});

test('a batch that is being written is left out of the copy', async () => {
  const dir = await writeLog({ ...plainLog, clean: false });
  const [, second = 0] = batchPlaces(dir, 3);
  truncateSync(segmentPath(dir, 3), second + 100);
  const to = temporaryDir();
  const { copy } = await backupLog(dir, to);
  expect(copy).toMatchObject({ endOffset: 9, looseEnd: null });
  expect(readFileSync(segmentPath(to, 3)).length).toBe(second);
});

test('a damaged log is not copied', async () => {
  const dir = await writeLog(plainLog);
  const to = temporaryDir();
  flipByte(dir, 2, batchPlaces(dir, 2)[1]! + 70);
  await expect(backupLog(dir, to)).rejects.toThrow(LogDamagedError);
  await expect(backupLog(dir, to)).rejects.toThrow(/Nothing was copied. Salvage gets out/);
  expect(contentOf(to)).toEqual(new Map());
});

test('records that contradict each other are not copied', async () => {
  const dir = await writeLog({ segments: [[[started(1), delivered(1)]]] });
  const to = temporaryDir();
  await expect(backupLog(dir, to)).rejects.toThrow(LogDamagedError);
  expect(contentOf(to)).toEqual(new Map());
});

test('a folder that is not empty is no target, and stays as it is', async () => {
  const dir = await writeLog(plainLog);
  const to = temporaryDir();
  writeFileSync(join(to, 'mine.txt'), 'mine');
  await expect(backupLog(dir, to)).rejects.toThrow(`${to} is not empty: it holds mine.txt`);
  expect(readdirSync(to)).toEqual(['mine.txt']);
});

test('a backup that was cut short is no backup, and its folder can be used again', async () => {
  const dir = await writeLog(plainLog);
  const to = temporaryDir();
  let files = 0;
  const disk = {
    ...nodeDisk,
    create: (path: string) => {
      files += 1;
      return files > 2 ? Promise.reject(new Error('ENOSPC')) : nodeDisk.create(path);
    },
    // The process is gone: nothing tidies up.
    remove: () => Promise.reject(new Error('gone')),
  };
  await expect(backupLog(dir, to, { disk })).rejects.toThrow('ENOSPC');
  expect(contentOf(to).size).toBe(2);
  await expect(verifyLog(to)).rejects.toThrow('holds no segment');
  const { copy } = await backupLog(dir, to);
  expect(copy.endOffset).toBe(10);
  expect(readdirSync(to)).toEqual(['log']);
});

/** A log whose third segment states that the first one is not needed; and the end of the batch before that. */
async function compactedLog(): Promise<{ dir: string; beforeFloor: number }> {
  const [first = [], second = [], third = []] = plainLog.segments;
  const segments = [first, second, [...third, logStartBatch(2, 4), [started(2)]]];
  const dir = await writeLog({ segments });
  return { dir, beforeFloor: batchPlaces(dir, 3)[2] ?? 0 };
}

/** A disk on which compaction takes place right before the second segment is read. */
function compactingDisk(dir: string, third: Uint8Array): Disk {
  let reads = 0;
  return {
    ...nodeDisk,
    readFile: (path) => {
      reads += 1;
      if (reads === 2) {
        writeFileSync(segmentPath(dir, 3), third);
        rmSync(segmentPath(dir, 1));
      }
      return nodeDisk.readFile(path);
    },
  };
}

test('a log that is compacted meanwhile is copied as it is then', async () => {
  const { dir, beforeFloor } = await compactedLog();
  const third = readFileSync(segmentPath(dir, 3));
  truncateSync(segmentPath(dir, 3), beforeFloor);
  const to = temporaryDir();
  const { copy } = await backupLog(dir, to, { disk: compactingDisk(dir, third) });
  expect(copy).toMatchObject({ firstOffset: 4, endOffset: 11, segments: 2, problems: [] });
  expect(readdirSync(join(to, 'log'))).toEqual(['0000000002.log', '0000000003.log', 'proven']);
});

test('what compaction has not removed yet is not copied', async () => {
  const { dir } = await compactedLog();
  const to = temporaryDir();
  expect((await backupLog(dir, to)).copy).toMatchObject({ firstOffset: 4, segments: 2 });
});

test('a log that changes each time it is read is given up', async () => {
  const dir = await writeLog(plainLog);
  let calls = 0;
  const disk = {
    ...nodeDisk,
    list: async (path: string) => {
      calls += 1;
      const names = await nodeDisk.list(path);
      return path.endsWith('/log') ? [...names, `${String(calls).padStart(10, '9')}.log`] : names;
    },
  };
  await expect(backupLog(dir, temporaryDir(), { disk })).rejects.toThrow(
    'segments were removed each of the 5 times',
  );
});

test('a restored log holds the same records under another id, and one more', async () => {
  const dir = await writeLog(plainLog);
  const backup = temporaryDir();
  await backupLog(dir, backup);
  const restored = join(temporaryDir(), 'restored');
  const report = await restoreLog(backup, restored, { nowMs: 77 });
  expect(report).toMatchObject({ epoch: 2 ** 32, restored: { endOffset: 11, clean: true } });
  const last = { kind: 'epochStarted', epoch: 2 ** 32, seqHighest: 6, atMs: 77 };
  expect(recordsOf(restored).slice(0, -1)).toEqual(recordsOf(dir));
  expect(recordsOf(restored).at(-1)).toMatchObject({ offset: 11, record: last });
  expect(logIdOf(restored)).not.toBe(logIdOf(dir));
  for (const number of [2, 3]) expect(logIdOf(restored, number)).toBe(logIdOf(restored));
});

test('files of the old log are refused among those of the restored one', async () => {
  const dir = await writeLog(plainLog);
  const restored = join(temporaryDir(), 'restored');
  await restoreLog(dir, restored);
  writeFileSync(segmentPath(restored, 2), readFileSync(segmentPath(dir, 2)));
  expect((await verifyLog(restored)).problems).toMatchObject([{ kind: 'foreign' }]);
});

test('every restored log begins a generation of its own', async () => {
  const dir = await writeLog({
    segments: [[[started(5), enqueued(1)], [delivered(1, 5)]], [[started(6)]]],
  });
  const first = join(temporaryDir(), 'first');
  expect((await restoreLog(dir, first)).epoch).toBe(2 ** 32);
  const second = join(temporaryDir(), 'second');
  expect((await restoreLog(first, second)).epoch).toBe(2 * 2 ** 32);
});

test('a log that lost its front to compaction is restored with its offsets', async () => {
  const logStart = { segment: 5, offset: 101, writtenAt: 103 };
  const start = { segment: 5, nextOffset: 101, nextSequence: 40, logStart };
  const dir = await writeLog({ start, segments: [[[ended(1), started(3), enqueued(2)]], [[]]] });
  const restored = join(temporaryDir(), 'restored');
  await restoreLog(dir, restored);
  expect(await verifyLog(restored)).toMatchObject({ firstOffset: 101, problems: [] });
  expect(recordsOf(restored).slice(0, 3)).toEqual(recordsOf(dir));
});

test('a folder that has a log is not restored into', async () => {
  const backup = await writeLog(plainLog);
  const dir = await writeLog(plainLog);
  const before = contentOf(dir);
  await expect(restoreLog(backup, dir)).rejects.toThrow(`${dir} has a log already`);
  expect(contentOf(dir)).toEqual(before);
});

test('a folder that a broker serves is not restored into', async () => {
  const backup = await writeLog(plainLog);
  const dir = temporaryDir();
  const lock = lockFolder(dir);
  try {
    await expect(restoreLog(backup, dir)).rejects.toThrow(FolderLockedError);
    expect(existsSync(join(dir, 'log'))).toBe(false);
  } finally {
    lock.release();
  }
});

test('a damaged backup is not restored, and no folder is made', async () => {
  const backup = await writeLog(plainLog);
  flipByte(backup, 1, batchPlaces(backup, 1)[0]! + 70);
  const dir = join(temporaryDir(), 'restored');
  await expect(restoreLog(backup, dir)).rejects.toThrow(LogDamagedError);
  expect(existsSync(dir)).toBe(false);
});

test('a restore that was cut short leaves no log, and can be repeated', async () => {
  const backup = await writeLog(plainLog);
  const dir = temporaryDir();
  const disk = {
    ...nodeDisk,
    rename: (from: string, to: string) =>
      to.endsWith('/log') ? Promise.reject(new Error('EIO')) : nodeDisk.rename(from, to),
    remove: () => Promise.reject(new Error('gone')),
  };
  await expect(restoreLog(backup, dir, { disk })).rejects.toThrow('EIO');
  expect(existsSync(join(dir, 'log'))).toBe(false);
  await restoreLog(backup, dir);
  expect((await verifyLog(dir)).problems).toEqual([]);
});
