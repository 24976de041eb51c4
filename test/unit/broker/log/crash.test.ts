/**
 * Crashes at every disk operation, as kill -9 (the page cache survives) and as power cuts (any
 * subset of unsynced sectors and names survives). The oracle: opening is never refused, what was
 * reported durable is there, and what is there is a prefix of what was appended.
 */

import { expect, test } from 'vitest';
import {
  nextTurn,
  type OpenedLog,
  openOn,
  seededRandom,
  unnoteLastCommit,
} from '../../../support/log/log-harness.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';

const options = { segmentBytesMax: 2500 };
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const recordAt = (offset: number) => `${offset} `.repeat(1 + ((offset * 37) % 400));

/** From operation `failingFrom` on, every operation fails: the process is gone. */
function crashFrom(disk: MemoryDisk, failingFrom: number): void {
  disk.before = () => {
    if (disk.operations >= failingFrom) throw new Error('gone');
  };
}

/** Appends, opens and closes for a while; returns the highest offset that was promised. */
async function liveUntilCrash(disk: MemoryDisk): Promise<number> {
  let promised = 0;
  for (let life = 0; life < 3; life++) {
    const opened = await openOn(disk, options).catch(() => null);
    if (opened === null) return promised;
    const alive = await appendGroups(opened);
    promised = Math.max(promised, ...opened.durable);
    if (!alive || !(await closed(opened))) return promised;
  }
  return promised;
}

async function appendGroups({ log, failures }: OpenedLog): Promise<boolean> {
  for (let group = 1; group <= 5; group++) {
    for (let count = 0; count < group; count++) {
      log.append(Buffer.from(recordAt(log.endOffset + 1)));
    }
    while (failures.length === 0 && log.durableOffset < log.endOffset) await nextTurn();
    if (failures.length > 0) return false;
  }
  return true;
}

function closed({ log }: OpenedLog): Promise<boolean> {
  return log.close().then(
    () => true,
    () => false,
  );
}

async function expectKept(disk: MemoryDisk, promised: number, what: string): Promise<void> {
  const { replayed, log } = await openOn(disk, options);
  expect(replayed.length, what).toBeGreaterThanOrEqual(promised);
  for (const [index, record] of replayed.entries()) {
    if (record !== recordAt(index + 1)) expect.fail(`${what}: record ${index + 1} is not its own`);
  }
  // And the log that recovery left works: once more, with one record behind.
  log.append(Buffer.from(recordAt(replayed.length + 1)));
  await log.close();
  const again = await openOn(disk.afterPowerCut(), options);
  expect(again.replayed.length, what).toBe(replayed.length + 1);
  expect(again.report).toMatchObject({ clean: true, tornTail: null });
}

test('a crash at any disk operation loses nothing that was reported durable', async () => {
  const whole = new MemoryDisk();
  expect(await liveUntilCrash(whole)).toBe(45);
  const random = seededRandom(seed);
  for (let operation = 1; operation <= whole.operations; operation++) {
    const disk = new MemoryDisk();
    crashFrom(disk, operation);
    const promised = await liveUntilCrash(disk);
    const what = `seed ${seed}, crash at operation ${operation}`;
    await expectKept(disk.copy(), promised, `${what}, killed`);
    await expectKept(disk.afterPowerCut(), promised, `${what}, nothing unsynced kept`);
    for (let round = 0; round < 6; round++) {
      const share = random();
      await expectKept(
        disk.afterPowerCut(() => random() < share),
        promised,
        `${what}, power cut ${round}`,
      );
    }
  }
});

test('a short write followed by an error is cut off at the next start', async () => {
  for (const share of [0.01, 0.3, 0.7, 0.999]) {
    const { disk, log, failures, durable } = await openOn(new MemoryDisk(), options);
    let writes = 0;
    disk.accept = (bytes) => Math.floor(bytes * share);
    disk.before = (operation) => {
      if (operation === 'write') writes += 1;
      if (writes === 2) throw new Error('ENOSPC');
    };
    log.append(Buffer.from(recordAt(1)));
    log.append(Buffer.from(recordAt(2)));
    while (failures.length === 0) await nextTurn();
    expect(durable).toEqual([]);
    await expectKept(disk.copy(), 0, `share ${share}`);
  }
});

test('recovery that crashes at any operation leaves the same log for the next one', async () => {
  const torn = new MemoryDisk();
  const { log, durable, failures } = await openOn(torn, options);
  await appendGroups({ log, durable, failures } as OpenedLog);
  unnoteLastCommit(torn);
  const last = [...torn.files.keys()]
    .filter((path) => path.endsWith('.log'))
    .sort()
    .at(-1)!;
  torn.put(last, torn.get(last).subarray(0, -30));
  const reference = torn.copy();
  const { replayed, report } = await openOn(reference, options);
  expect(report.tornTail).not.toBeNull();
  const operations = reference.operations;
  for (let operation = 1; operation <= operations; operation++) {
    for (const afterwards of ['copy', 'afterPowerCut'] as const) {
      const disk = torn.copy();
      crashFrom(disk, operation);
      await expect(openOn(disk, options)).rejects.toThrow('gone');
      const left = disk[afterwards]();
      expect((await openOn(left, options)).replayed).toEqual(replayed);
      expect(left.get(report.tornTail!.keptAs!)).toEqual(reference.get(report.tornTail!.keptAs!));
      expect(left.get(last)).toEqual(reference.get(last));
    }
  }
});

test('after a failed fdatasync the next life keeps for good whatever it found', async () => {
  // The page cache then shows bytes that the medium does not have and will not get by itself.
  // The first two are those of the opening.
  for (let failing = 3; failing <= 6; failing++) {
    const disk = new MemoryDisk();
    disk.before = (operation) => {
      if (operation === 'datasync' && disk.counts.datasync === failing) throw new Error('EIO');
    };
    const opened = await openOn(disk, options);
    for (let group = 0; group < 3 && opened.failures.length === 0; group++) {
      opened.log.append(Buffer.from(recordAt(opened.log.endOffset + 1)));
      await nextTurn();
      await nextTurn();
    }
    expect(await closed(opened), 'the fdatasync failed').toBe(false);
    disk.before = () => undefined;
    const next = await openOn(disk, options);
    const promised = Math.max(0, ...opened.durable);
    expect(next.replayed.length).toBeGreaterThanOrEqual(promised);
    next.log.append(Buffer.from(recordAt(next.replayed.length + 1)));
    while (next.durable.length === 0) await nextTurn();
    await expectKept(disk.afterPowerCut(), next.replayed.length + 1, `fdatasync ${failing} failed`);
  }
});

test('records whose fdatasync failed in close are not passed off as cleanly closed', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), options);
  log.append(Buffer.from(recordAt(1)));
  disk.before = (operation) => {
    if (operation === 'datasync') throw new Error('EIO');
  };
  await expect(log.close()).rejects.toThrow('EIO');
  disk.before = () => undefined;
  const { replayed, report } = await openOn(disk, options);
  expect([replayed.length, report.clean]).toEqual([1, false]);
  await expectKept(disk.afterPowerCut(), 1, 'power cut in the next life');
});

test('a clean mark whose fdatasync failed is made durable before the log goes on', async () => {
  const { disk, log } = await openOn(new MemoryDisk(), options);
  log.append(Buffer.from(recordAt(1)));
  while (log.durableOffset === 0) await nextTurn();
  disk.before = (operation) => {
    if (operation === 'datasync') throw new Error('EIO');
  };
  await expect(log.close()).rejects.toThrow('EIO');
  disk.before = () => undefined;
  expect((await openOn(disk.afterPowerCut(), options)).report.clean).toBe(false);
  expect((await openOn(disk, options)).report.clean).toBe(true);
  expect((await openOn(disk.afterPowerCut(), options)).report.clean).toBe(true);
});
