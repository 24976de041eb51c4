/** Whose folder it is: brokers whose start fails late, and folders that are moved away under them. */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HeldFolder } from '../../../../core/broker/folder/held-folder.ts';
import { FolderLockedError, FolderLostError } from '../../../../core/broker/index.ts';
import { jobBytes, Place, range } from '../broker-peer.ts';

let place: Place;

beforeEach(() => {
  place = new Place();
});

afterEach(async () => {
  await place.remove();
  rmSync(`${place.dir}.old`, { recursive: true, force: true });
});

/** Null when somebody accepts connections there, else why not. */
function refusal(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(null);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
}

describe('a start that fails', () => {
  test('after it listened leaves nobody who answers, and the folder free', async () => {
    const inTheWay = join(place.dir, 'endpoints.json.tmp');
    mkdirSync(join(inTheWay, 'full'), { recursive: true });
    await expect(place.start()).rejects.toThrow(/endpoints\.json\.tmp/);
    expect(await refusal(join(place.dir, 'broker.sock'))).not.toBeNull();
    rmSync(inTheWay, { recursive: true });
    await place.start();
    const asker = await place.asker(1);
    expect(await asker.enqueue(range(3))).toEqual(range(3).map(() => 'created'));
  });

  test('lets go of the folder only when all of it is closed', async () => {
    mkdirSync(join(place.dir, 'endpoints.json.tmp', 'full'), { recursive: true });
    let isOver = false;
    const first = place.start().catch((error: Error) => {
      isOver = true;
      return error;
    });
    // While it fails, nobody else gets in: as long as it may answer, it holds the lock.
    let wasLocked = 0;
    let folder: HeldFolder | null = null;
    while (folder === null) {
      try {
        folder = HeldFolder.take(place.dir);
      } catch (error) {
        expect(error).toBeInstanceOf(FolderLockedError);
        wasLocked += 1;
        await setImmediate();
      }
    }
    await setImmediate();
    expect(isOver).toBe(true);
    expect(await refusal(join(place.dir, 'broker.sock'))).not.toBeNull();
    folder.release();
    expect(wasLocked).toBeGreaterThan(0);
    expect(await first).toBeInstanceOf(Error);
  });
});

describe('a folder that is moved away under its broker', () => {
  test('is left by it, and the next broker in its place keeps all that it accepts', async () => {
    const segmentBytesMax = 64 * 1024;
    const old = await place.start({ segmentBytesMax });
    const before = await place.asker(1);
    await before.enqueue(range(500));
    renameSync(place.dir, `${place.dir}.old`);
    mkdirSync(place.dir, { mode: 0o700 });
    const next = await place.start({ segmentBytesMax });
    const asker = await place.asker(2);
    // The old one begins segments that the new one has, too, or is stopped by its own look.
    for (let number = 1000; number < 3000; number += 50) {
      const numbers = range(50).map((each) => number + each);
      before.tell('Enqueue', { atomic: false, jobs: numbers.map((each) => jobBytes(each)) });
      await asker.enqueue(numbers);
    }
    const end = await old.closed;
    expect(end).toMatchObject({ reason: 'failed', error: expect.any(FolderLostError) as Error });
    expect(await refusal(join(place.dir, 'broker.sock'))).toBeNull();
    expect(JSON.parse(readFileSync(join(place.dir, 'endpoints.json'), 'utf8'))).toMatchObject({
      brokerId: next.id,
    });
    await next.stop();
    expect((await place.recovered()).size).toBe(2000);
  });

  test('has no segment replaced in its place, even by one that has not looked yet', async () => {
    const old = await place.start({ segmentBytesMax: 64 * 1024 });
    const asker = await place.asker(1);
    await asker.enqueue([1]);
    renameSync(place.dir, `${place.dir}.old`);
    const theirs = range(50).map((number) => join(place.dir, 'log', `${number}`.padStart(10, '0')));
    mkdirSync(join(place.dir, 'log'), { recursive: true, mode: 0o700 });
    for (const file of theirs) writeFileSync(`${file}.log`, 'theirs');
    for (let number = 1; !asker.peer.socket.closed && number < 5000; number += 100) {
      await asker.enqueue(range(100).map((each) => number + each)).catch(() => undefined);
    }
    expect(await old.closed).toMatchObject({ error: expect.any(FolderLostError) as Error });
    expect(readdirSync(join(place.dir, 'log'))).toHaveLength(50);
    for (const file of theirs) expect(readFileSync(`${file}.log`, 'utf8')).toBe('theirs');
  });

  test('when it is removed, the next broker is reachable, and stays so', async () => {
    const old = await place.start();
    // Again while its broker makes files in it.
    const removing = { recursive: true, force: true, maxRetries: 20 };
    while (existsSync(place.dir)) rmSync(place.dir, removing);
    mkdirSync(place.dir, { mode: 0o700 });
    await place.start();
    expect(await old.closed).toMatchObject({ reason: 'failed' });
    expect(await refusal(join(place.dir, 'broker.sock'))).toBeNull();
    expect(existsSync(join(place.dir, 'endpoints.json'))).toBe(true);
  });

  test('ends a broker whose lock was removed, before another can get far', async () => {
    const old = await place.start();
    rmSync(join(place.dir, 'lock'));
    expect(await old.closed).toMatchObject({
      reason: 'failed',
      error: { message: expect.stringContaining('lock was moved away or removed') as string },
    });
  });
});

test('a socket that somebody else put in the place of its own is not removed', async () => {
  const broker = await place.start();
  const path = join(place.dir, 'broker.sock');
  rmSync(path);
  writeFileSync(path, 'theirs');
  await broker.stop();
  expect(statSync(path).isFile()).toBe(true);
});
