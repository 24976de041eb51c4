/**
 * Fails every single disk operation of whole lives of a log, once and for good, and cuts the power
 * there. A failure prints its seed; `SEED` runs it again.
 */

import { expect, test } from 'vitest';
import { commit, nextTurn, openOn, seededRandom } from '../../../support/log/log-harness.ts';
import {
  expectKept,
  failFrom,
  livesOptions,
  liveUntilFailure,
  recordAt,
} from '../../../support/log/log-lives.ts';
import { type DiskOperation, MemoryDisk } from '../../../support/log/memory-disk.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

async function operationsOfWholeLives(): Promise<MemoryDisk> {
  const whole = new MemoryDisk();
  const said = await liveUntilFailure(whole);
  expect(said).toMatchObject({ wentWell: true });
  return whole;
}

test('the lives that are disturbed here do all that a log does', async () => {
  const { counts, operations } = await operationsOfWholeLives();
  const done: DiskOperation[] = ['create', 'write', 'datasync', 'rename', 'syncDir', 'remove'];
  for (const operation of done) expect(counts[operation], operation).toBeGreaterThan(2);
  expect(counts.openForReading, 'summaries').toBeGreaterThan(4);
  expect(operations).toBeGreaterThan(150);
});

test.each(['once', 'for good'])(
  'any operation that fails %s loses nothing, and no fdatasync follows a failed one',
  async (how) => {
    const { operations } = await operationsOfWholeLives();
    for (let failing = 1; failing <= operations; failing++) {
      const disk = new MemoryDisk();
      const syncsAfterFailedSync = failAt(disk, failing, how === 'for good');
      const said = await liveUntilFailure(disk);
      const what = `operation ${failing} failed ${how}`;
      expect(syncsAfterFailedSync(), what).toBe(0);
      disk.before = () => undefined;
      await expectKept(disk.copy(), said, `${what}, then killed`);
      await expectKept(disk.afterPowerCut(), said, `${what}, then the power was cut`);
    }
  },
);

/** Returns how many fdatasync there were after one had failed. */
function failAt(disk: MemoryDisk, failing: number, forGood: boolean): () => number {
  let syncFailed = false;
  let syncsAfter = 0;
  disk.before = (operation) => {
    if (operation === 'datasync' && syncFailed) syncsAfter += 1;
    const fails = forGood ? disk.operations >= failing : disk.operations === failing;
    if (!fails) return;
    if (operation === 'datasync') syncFailed = true;
    throw new Error(`EIO in ${operation}`);
  };
  return () => syncsAfter;
}

test('a power cut at any operation, a log start being stated and segments being removed, loses nothing', async () => {
  const { operations } = await operationsOfWholeLives();
  const random = seededRandom(seed);
  for (let failing = 1; failing <= operations; failing++) {
    const disk = new MemoryDisk();
    failFrom(disk, failing);
    const said = await liveUntilFailure(disk);
    const what = `seed ${seed}, power cut at operation ${failing}`;
    for (let round = 0; round < 3; round++) {
      const share = random();
      await expectKept(
        disk.afterPowerCut(() => random() < share),
        said,
        `${what}, round ${round}`,
      );
    }
  }
});

test('a recovery that is itself cut short, again and again, loses nothing', async () => {
  const { operations } = await operationsOfWholeLives();
  const random = seededRandom(seed);
  for (let round = 0; round < 60; round++) {
    let disk = new MemoryDisk();
    failFrom(disk, 1 + Math.floor(random() * operations));
    const said = await liveUntilFailure(disk);
    for (let crash = 0; crash < 4; crash++) {
      disk = disk.afterPowerCut(() => random() < 0.5);
      failFrom(disk, 1 + Math.floor(random() * 25));
      await openOn(disk, livesOptions).catch(() => undefined);
    }
    await expectKept(disk.afterPowerCut(), said, `seed ${seed}, round ${round}`);
  }
});

test('a log start whose fdatasync failed removes nothing before it is made durable by the next start', async () => {
  for (let crashAt = 1; crashAt < 40; crashAt++) {
    const disk = new MemoryDisk();
    const { log } = await openOn(disk, livesOptions);
    for (let offset = 1; offset <= 15; offset++) await commit(log, [recordAt(offset)]);
    disk.before = (operation) => {
      if (operation === 'datasync') throw new Error('EIO');
    };
    await expect(log.dropBefore(12)).rejects.toThrow('EIO');
    // The page cache shows the log start to the next start; the medium does not have it.
    failFrom(disk, disk.operations + crashAt);
    await openOn(disk, livesOptions).catch(() => undefined);
    const said = { durable: 15, droppedBefore: 12, wentWell: false };
    await expectKept(disk.afterPowerCut(), said, `crash at operation ${crashAt} of the start`);
  }
});

test('a summary that is being written when the log fails is not synced any more', async () => {
  const { disk, log, failures } = await openOn(new MemoryDisk(), livesOptions);
  const writing = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let syncsAfter = 0;
  disk.before = async (operation, path) => {
    if (operation === 'write' && path.endsWith('.summary.tmp')) {
      writing.resolve();
      await goOn.promise;
    }
    if (operation === 'datasync' && failures.length > 0) syncsAfter += 1;
  };
  for (let offset = 1; offset <= 8; offset++) await commit(log, [recordAt(offset)]);
  await writing.promise;
  const before = disk.before;
  disk.before = (operation, path) => {
    if (operation === 'datasync') throw new Error('EIO');
    return before(operation, path);
  };
  log.append(Buffer.from('fails'));
  while (failures.length === 0) await nextTurn();
  disk.before = before;
  goOn.resolve();
  await expect(log.close()).rejects.toThrow('EIO');
  expect(syncsAfter).toBe(0);
});
