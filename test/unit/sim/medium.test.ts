/** The simulated disk loses what a real one may lose, and nothing else. */

import { describe, expect, test } from 'vitest';
import { syncDir } from '../../../core/broker/log/disk/disk.ts';
import { Dice } from '../../sim/dice.ts';
import { Medium, MediumFile } from '../../sim/simulated/medium.ts';
import { SimDisk } from '../../sim/simulated/sim-disk.ts';
import { turn } from '../../sim/turn.ts';

const text = (content: string): Buffer => Buffer.from(content);

function diskOn(medium: Medium, faults = {}, violations: string[] = []): SimDisk {
  const none = { shortWrite: 0, failedWrite: 0, failedSync: 0, failedRead: 0, failedName: 0 };
  return new SimDisk(medium, { ...none, ...faults }, new Dice(1), {
    reach: () => undefined,
    violation: (violation) => violations.push(violation),
  });
}

/** Lets everything happen that was asked of the disk. */
async function done<T>(disk: SimDisk, asked: Promise<T>): Promise<T> {
  const waiting = asked.catch(() => undefined);
  for (let rounds = 0; rounds < 20; rounds++) {
    if (disk.pendingCount > 0) disk.completeOne();
    await turn();
  }
  await waiting;
  return asked;
}

describe('a power cut', () => {
  test('keeps what was synced and its name, and may lose all else', async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 60; seed++) {
      const medium = new Medium();
      const disk = diskOn(medium);
      const file = await done(disk, disk.create('/d/a'));
      await done(disk, file.write([text('safe')], 0));
      await done(disk, file.datasync());
      await done(disk, syncDir(disk, '/d'));
      await done(disk, file.write([text('x'.repeat(600))], 4));
      await done(disk, disk.create('/d/b'));
      disk.kill();
      medium.powerCut(new Dice(seed));
      const left = medium.names.get('/d/a')?.cache.view() ?? new Uint8Array(0);
      expect(Buffer.from(left.subarray(0, 4)).toString()).toBe('safe');
      outcomes.add(`${left.length > 4} ${medium.names.has('/d/b')}`);
    }
    expect([...outcomes].sort()).toEqual(['false false', 'false true', 'true false', 'true true']);
  });

  test('after a failed sync loses what reads had shown all the time', async () => {
    const medium = new Medium();
    const violations: string[] = [];
    const disk = diskOn(medium, { failedSync: 1 }, violations);
    const file = await done(disk, disk.create('/d/a'));
    await done(disk, syncDir(disk, '/d'));
    await done(disk, file.write([text('gone')], 0));
    await expect(done(disk, file.datasync())).rejects.toThrow('EIO');
    expect((await done(disk, disk.readFile('/d/a'))).length).toBe(4);
    void file.datasync().catch(() => undefined);
    expect(violations).toEqual(['/d/a: a second datasync after one that failed']);
    disk.kill();
    medium.powerCut(new Dice(1));
    expect(medium.names.get('/d/a')?.cache.length).toBe(0);
  });
});

test('kill -9 keeps everything that was written, synced or not', async () => {
  const medium = new Medium();
  const disk = diskOn(medium);
  const file = await done(disk, disk.create('/d/a'));
  await done(disk, file.write([text('written')], 0));
  disk.kill();
  expect(Buffer.from(medium.names.get('/d/a')?.cache.view() ?? []).toString()).toBe('written');
});

test('a disk that gets full takes a part first and then nothing', async () => {
  const medium = new Medium();
  const disk = diskOn(medium);
  medium.foreignBytes = medium.totalBytes - 3;
  const file = await done(disk, disk.create('/d/a'));
  expect(await done(disk, file.write([text('12345')], 0))).toBe(3);
  await expect(done(disk, file.write([text('45')], 3))).rejects.toThrow('ENOSPC');
});

test('a flipped bit shows wherever it is read, and flips back', () => {
  const file = new MediumFile();
  file.write(text('abc'), 0);
  file.beginSync();
  file.endSync();
  file.flip(1, 1);
  expect(Buffer.from(file.cache.view()).toString()).toBe('acc');
  expect(Buffer.from(file.durable.view()).toString()).toBe('acc');
  file.flip(1, 1);
  expect(Buffer.from(file.cache.view()).toString()).toBe('abc');
});
