/** The group commit of folders: who shares a sync, and who must not. */

import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Directory } from '../../../core/output/directory.ts';
import { createDirectorySync } from '../../../core/output/directory-sync.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A folder whose syncs are counted and end when told. */
async function heldDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'aiq-sync-'));
  const handle = await open(path);
  cleanups.push(
    () => handle.close(),
    () => rm(path, { recursive: true }),
  );
  const pending: PromiseWithResolvers<void>[] = [];
  handle.sync = () => {
    const sync = Promise.withResolvers<void>();
    pending.push(sync);
    return sync.promise;
  };
  const directory: Directory = { handle, at: path };
  return { directory, pending };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('createDirectorySync', () => {
  it('lets everyone who arrives during a sync share the next one', async () => {
    const { directory, pending } = await heldDirectory();
    const sync = createDirectorySync();
    const first = sync(directory);
    const riders = [sync(directory), sync(directory), sync(directory)];
    expect(pending).toHaveLength(1);
    pending[0]!.resolve();
    await first;
    await turn();
    expect(pending).toHaveLength(2);
    pending[1]!.resolve();
    await Promise.all(riders);
    expect(pending).toHaveLength(2);
  });

  it('never answers a late caller with a sync that began before the call', async () => {
    const { directory, pending } = await heldDirectory();
    const sync = createDirectorySync();
    const first = sync(directory);
    let answered = false;
    const late = (async () => {
      await sync(directory);
      answered = true;
    })();
    pending[0]!.resolve();
    await first;
    await turn();
    expect(answered).toBe(false);
    pending[1]!.resolve();
    await late;
  });

  it('fails those who waited for a failed sync, and only them', async () => {
    const { directory, pending } = await heldDirectory();
    const sync = createDirectorySync();
    const first = sync(directory);
    const rider = sync(directory);
    pending[0]!.reject(new Error('EIO'));
    await expect(first).rejects.toThrow('EIO');
    await turn();
    pending[1]!.resolve();
    await expect(rider).resolves.toBeUndefined();
  });

  it('syncs different folders beside each other', async () => {
    const [one, two] = [await heldDirectory(), await heldDirectory()];
    const sync = createDirectorySync();
    const both = [sync(one.directory), sync(two.directory)];
    expect([one.pending.length, two.pending.length]).toEqual([1, 1]);
    one.pending[0]!.resolve();
    two.pending[0]!.resolve();
    await Promise.all(both);
  });
});
