/** Locks a broker's folder while its log is salvaged. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FolderLock, FolderLockedError, lockFolder } from '../folder/folder-lock.ts';

/**
 * Locks a folder that must not change. A folder without lock file never had a broker, and none is
 * created in it; a read-only one (a mounted snapshot) cannot be served either.
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
