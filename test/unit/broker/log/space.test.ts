import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Scheduler } from '../../../../core/broker/log/contract.ts';
import type { DiskFile } from '../../../../core/broker/log/disk/disk.ts';
import { SpaceGuard, spaceLimits } from '../../../../core/broker/log/disk/space.ts';
import {
  commit,
  logDir,
  nextTurn,
  openOn,
  unnoteLastCommit,
} from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const kiB = 1024;
const miB = 1024 * kiB;
const giB = 1024 * miB;

/** Time that moves when the test says so. */
class ManualTime implements Scheduler {
  readonly #waiting = new Set<() => void>();

  async afterThisRound(): Promise<void> {
    await nextTurn();
  }

  after(_ms: number, callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  async pass(): Promise<void> {
    const due = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of due) callback();
    for (let turn = 0; turn < 30; turn++) await nextTurn();
  }
}

/** A guarded disk of 8 MiB with another program's file of `used` bytes on it. */
async function guarded(used: number, disk: MemoryDisk = new MemoryDisk()) {
  disk.capacityBytes = 8 * miB;
  disk.put('/other', Buffer.alloc(used));
  const limits = spaceLimits({ totalBytes: disk.capacityBytes }, 64 * miB);
  const changes: boolean[] = [];
  const failures: Error[] = [];
  const problems: string[] = [];
  const time = new ManualTime();
  let unwritten = 0;
  const guard = await SpaceGuard.open({
    dir: logDir,
    limits,
    disk,
    scheduler: time,
    unwrittenBytes: () => unwritten,
    onChange: (full) => changes.push(full),
    onProblem: (reason) => reason !== null && problems.push(reason),
    onFailure: (error) => failures.push(error),
  });
  const setUnwritten = (bytes: number) => {
    unwritten = bytes;
  };
  const free = async () => (await disk.space('/')).freeBytes;
  return { disk, guard, limits, changes, failures, problems, time, setUnwritten, free };
}

const ballast = `${logDir}/ballast`;

test('a large disk gets the usual sizes, whatever is free on it', () => {
  expect(spaceLimits({ totalBytes: 500 * giB }, 64 * miB)).toEqual({
    segmentBytesMax: 64 * miB,
    ballastBytes: 16 * miB,
    lowBytes: 80 * miB,
    highBytes: 128 * miB,
  });
});

test('a small disk gets small segments, and is never full while most of it is free', () => {
  expect(spaceLimits({ totalBytes: 8 * miB }, 64 * miB)).toEqual({
    segmentBytesMax: 512 * kiB,
    ballastBytes: 256 * kiB,
    lowBytes: 640 * kiB,
    highBytes: 1152 * kiB,
  });
  for (const totalBytes of [2 * miB, 8 * miB, 100 * miB, giB, 20 * giB, 10_000 * giB]) {
    const limits = spaceLimits({ totalBytes }, 64 * miB);
    expect(limits.highBytes + limits.ballastBytes, String(totalBytes)).toBeLessThan(totalBytes / 2);
    // Room to write the last segment out again, and to fill the ballast once more above the mark.
    expect(limits.lowBytes).toBeGreaterThan(limits.segmentBytesMax);
    expect(limits.highBytes).toBeGreaterThan(limits.lowBytes + limits.ballastBytes);
  }
});

test('a segment size that was configured smaller is kept, and lowers the marks', () => {
  const limits = spaceLimits({ totalBytes: 500 * giB }, 4 * miB);
  expect(limits).toMatchObject({ segmentBytesMax: 4 * miB, lowBytes: 5 * miB });
  expect(spaceLimits({ totalBytes: 8 * miB }, 4 * miB).segmentBytesMax).toBe(512 * kiB);
});

test('with room the ballast is really written and synced, and kept by the next guard', async () => {
  const { disk, guard, limits, changes } = await guarded(0);
  expect([guard.isFull, changes]).toEqual([false, []]);
  const after = disk.afterPowerCut();
  expect(after.get(ballast).length).toBe(limits.ballastBytes);
  // A file system that compresses would hold nothing back with less.
  const piece = after.get(ballast).subarray(0, 128 * kiB);
  expect(deflateSync(piece).length).toBeGreaterThan(0.95 * piece.length);
  await guard.close();
  const writes = disk.counts.write;
  await (await guarded(0, disk)).guard.close();
  expect(disk.counts.write).toBe(writes);
});

test('below the low mark full mode begins and the ballast is given up', async () => {
  const { disk, guard, limits, changes, time, free } = await guarded(0);
  disk.put('/other', Buffer.alloc((await free()) - limits.lowBytes + 1));
  expect(guard.isFull).toBe(false);
  await time.pass();
  expect([guard.isFull, changes]).toEqual([true, [true]]);
  expect(disk.files.has(ballast)).toBe(false);
  expect(guard.freeBytes).toBe(limits.lowBytes - 1 + limits.ballastBytes);
  expect(guard.reserve(1)).toBe(false);
});

test('between the marks nothing changes; above the high one full mode ends and the ballast is back', async () => {
  const { disk, guard, limits, changes, time } = await guarded(8 * miB - 1000);
  expect([guard.isFull, changes, disk.files.has(ballast)]).toEqual([true, [true], false]);
  disk.put('/other', Buffer.alloc(8 * miB - limits.highBytes));
  await time.pass();
  expect(guard.isFull).toBe(true);
  disk.put('/other', Buffer.alloc(8 * miB - limits.highBytes - 1));
  await time.pass();
  expect([guard.isFull, changes]).toEqual([false, [true, false]]);
  expect(disk.get(ballast).length).toBe(limits.ballastBytes);
  expect(guard.freeBytes).toBeGreaterThan(limits.lowBytes);
});

test('what is appended counts at once, before the disk is asked again', async () => {
  const { guard, limits, changes } = await guarded(0);
  const room = guard.freeBytes - limits.lowBytes;
  guard.charge(room);
  expect([guard.isFull, changes]).toEqual([false, []]);
  guard.charge(1);
  expect([guard.isFull, changes]).toEqual([true, [true]]);
});

test('room is reserved for new work down to the low mark, and spending uses the reservation up', async () => {
  const { guard, limits } = await guarded(0);
  const room = guard.freeBytes - limits.lowBytes;
  expect(guard.reserve(room - 100)).toBe(true);
  guard.charge(room - 100);
  expect(guard.freeBytes).toBe(limits.lowBytes + 100);
  expect(guard.reserve(101)).toBe(false);
  expect(guard.isFull).toBe(true);
});

test('reservations that were not used are free again after the next poll', async () => {
  const { guard, limits, time } = await guarded(0);
  const before = guard.freeBytes;
  expect(guard.reserve(before - limits.lowBytes)).toBe(true);
  await time.pass();
  expect([guard.freeBytes, guard.isFull]).toEqual([before, false]);
});

test('bytes that wait to be written still count after the disk was asked', async () => {
  const { guard, time, setUnwritten } = await guarded(0);
  const before = guard.freeBytes;
  guard.charge(500_000);
  setUnwritten(200_000);
  await time.pass();
  expect(guard.freeBytes).toBe(before - 200_000);
});

test('somebody who takes the room for the ballast first is no failure', async () => {
  const { disk, guard, failures, time } = await guarded(8 * miB - 1000);
  disk.put('/other', Buffer.alloc(0));
  disk.before = (operation) => {
    if (operation === 'write') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  };
  await time.pass();
  expect([guard.isFull, failures]).toEqual([false, []]);
  expect([...disk.files.keys()].filter((path) => path.startsWith(ballast))).toEqual([]);
  disk.before = () => undefined;
  await time.pass();
  expect(disk.files.has(ballast)).toBe(true);
});

test('a disk that cannot be asked is told, and watched on', async () => {
  const { disk, guard, failures, problems, time } = await guarded(0);
  disk.before = (operation) => {
    if (operation === 'space') throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  await time.pass();
  disk.before = () => undefined;
  disk.put('/other', Buffer.alloc(8 * miB - disk.get(ballast).length));
  await time.pass();
  expect([problems, failures, guard.isFull]).toEqual([['EIO'], [], true]);
});

test('a folder that is gone is no trouble that passes', async () => {
  const { disk, failures, problems, time } = await guarded(0);
  disk.before = (operation) => {
    if (operation === 'space') throw new Error('the folder was moved away');
  };
  await time.pass();
  expect([problems, failures.map(({ message }) => message)]).toEqual([
    [],
    ['the folder was moved away'],
  ]);
});

test('a guard that was closed asks no more', async () => {
  const { disk, guard, time } = await guarded(0);
  await guard.close();
  const asked = disk.counts.space;
  await time.pass();
  expect(disk.counts.space).toBe(asked);
});

/** A log that was not closed, on a disk that has then only `free` bytes left. */
async function crashedOn(free: number, cutOff = 0) {
  const { disk, log } = await openOn(new MemoryDisk());
  for (let group = 0; group < 5; group++) await commit(log, ['x'.repeat(100_000)]);
  unnoteLastCommit(disk);
  const left = disk.copy();
  const path = `${logDir}/0000000001.log`;
  left.put(path, left.get(path).subarray(0, left.get(path).length - cutOff));
  left.put(ballast, Buffer.alloc(600_000));
  left.capacityBytes = left.usedBytes + free;
  return left;
}

test('a start after a crash gives the ballast up when the last segment needs the room', async () => {
  const disk = await crashedOn(10_000);
  const { replayed, log } = await openOn(disk);
  expect([replayed.length, disk.files.has(ballast)]).toEqual([5, false]);
  await commit(log, ['y'.repeat(10_000)]);
  await log.close();
  const roomy = await crashedOn(10_000_000);
  await openOn(roomy);
  expect(roomy.files.has(ballast)).toBe(true);
});

test('a start after a crash works even where the last segment cannot be written a second time', async () => {
  const disk = await crashedOn(2000, 5000);
  disk.files.delete(ballast);
  disk.capacityBytes = disk.usedBytes + 2000;
  const { replayed, report, log } = await openOn(disk);
  expect([replayed.length, report.clean]).toEqual([4, false]);
  expect(report.tornTail).toMatchObject({ keptAs: null });
  expect([...disk.files.keys()].sort()).toEqual([`${logDir}/0000000001.log`, `${logDir}/proven`]);
  await commit(log, ['y'.repeat(50_000)]);
  const again = await openOn(disk.afterPowerCut());
  expect(again.replayed.length).toBe(5);
});

test('a crash while the last segment is written again in place loses nothing', async () => {
  const opening = async () => {
    const disk = await crashedOn(2000, 5000);
    disk.files.delete(ballast);
    disk.capacityBytes = disk.usedBytes + 2000;
    return disk;
  };
  const whole = await opening();
  await openOn(whole);
  let keep = 0;
  for (let failing = 1; failing <= whole.operations; failing++) {
    const disk = await opening();
    disk.before = () => {
      if (disk.operations >= failing) throw new Error('gone');
    };
    await expect(openOn(disk)).rejects.toThrow('gone');
    for (const left of [
      disk.copy(),
      disk.afterPowerCut(),
      disk.afterPowerCut(() => keep++ % 3 > 0),
    ]) {
      const { replayed } = await openOn(left);
      expect(replayed.length, `operation ${failing}`).toBe(4);
    }
  }
});

/** Tells when a sync begins: until it ends, any of what was written may be on the medium or not. */
class WatchedDisk extends MemoryDisk {
  onSync: () => void = () => undefined;

  override async open(path: string): Promise<DiskFile> {
    const file = await super.open(path);
    if (!path.endsWith('.log')) return file;
    const datasync = (): Promise<void> => {
      this.onSync();
      return file.datasync();
    };
    return { ...file, datasync };
  }
}

const answered = 'a'.repeat(700);
const unanswered = 'b'.repeat(700);

/** On the nth datasync from now the disk fails, and forgets what it was to bring to the medium. */
function failSync(disk: MemoryDisk, nth: number): void {
  let syncs = 0;
  disk.before = (operation) => {
    if (operation === 'datasync' && ++syncs === nth) throw new Error('EIO');
  };
}

/** A page cache that shows a second record which the medium never got, and no room for a copy. */
async function afterFailedSync(): Promise<WatchedDisk> {
  const disk = new WatchedDisk();
  const { log, failures } = await openOn(disk);
  await commit(log, [answered]);
  failSync(disk, 1);
  log.append(Buffer.from(unanswered));
  while (failures.length === 0) await nextTurn();
  disk.before = () => undefined;
  disk.capacityBytes = disk.usedBytes + 1000;
  return disk;
}

/** What every power cut at this moment can leave: all choices of sectors, lengths and names. */
function* everyPowerCut(disk: MemoryDisk): Generator<MemoryDisk> {
  let choices = 0;
  disk.afterPowerCut(() => {
    choices += 1;
    return false;
  });
  for (let choice = 0; choice < 2 ** choices; choice++) {
    let asked = 0;
    yield disk.afterPowerCut(() => ((choice >> asked++) & 1) === 1);
  }
}

test.each([
  ['was not tried before', 0],
  ['failed before, at the sync of the content', 1],
  ['failed before, at the sync of the mark', 2],
])(
  'no power cut loses an answered record while a tail is written again in place that %s',
  async (_, failedSync) => {
    const disk = await afterFailedSync();
    if (failedSync > 0) {
      failSync(disk, failedSync);
      await expect(openOn(disk)).rejects.toThrow('EIO');
    }
    const left: MemoryDisk[] = [];
    disk.before = () => void left.push(...everyPowerCut(disk));
    disk.onSync = () => void left.push(...everyPowerCut(disk));
    const { replayed } = await openOn(disk);
    expect(replayed).toEqual([answered, unanswered]);
    expect(left.length).toBeGreaterThan(40);
    for (const each of left) {
      const again = await openOn(each);
      expect([[answered], replayed]).toContainEqual(again.replayed);
    }
    expect((await openOn(disk.afterPowerCut())).replayed).toEqual(replayed);
  },
);

test('the mark of a tail that is written again in place follows when the medium has all before it', async () => {
  const disk = await afterFailedSync();
  const atSync: MemoryDisk[] = [];
  disk.onSync = () => void atSync.push(disk.afterPowerCut());
  await openOn(disk);
  const replayed = [];
  for (const each of atSync) replayed.push((await openOn(each)).replayed);
  expect(replayed).toEqual([[answered], [answered, unanswered]]);
});

test('a segment whose name an earlier start could not sync has it synced before the log goes on in place', async () => {
  const { disk, log } = await openOn(new MemoryDisk());
  await commit(log, [answered]);
  disk.before = (operation) => {
    if (operation === 'syncDir') throw new Error('EIO');
  };
  // The last segment was replaced, as far as a process sees: the medium still has the old name.
  await expect(openOn(disk)).rejects.toThrow('EIO');
  disk.before = (operation, path) => {
    if (operation === 'create' && path.endsWith('.log.tmp'))
      throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
  };
  const next = await openOn(disk);
  await commit(next.log, [unanswered]);
  const { replayed } = await openOn(disk.afterPowerCut());
  expect(replayed).toEqual([answered, unanswered]);
});
