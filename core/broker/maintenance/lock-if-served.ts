/** Keeps a broker from serving a folder while its files are worked on. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FolderLock, FolderLockedError, lockFolder } from '../folder/folder-lock.ts';

/**
 * Takes the lock of a folder that must not change. A folder without a lock file never had a broker,
 * and none is made in it; one that cannot be written (a mounted snapshot) cannot be served either.
 * @throws FolderLockedError when a broker serves the folder
 */
export function lockIfServed(dir: string): FolderLock {
  const unlocked = { release: () => undefined };
  if (!existsSync(join(dir, 'lock'))) return unlocked;
  try {
    return lockFolder(dir);
  } catch (error) {
    if (error instanceof FolderLockedError) throw error;
    return unlocked;
  }
}
