/**
 * One broker per folder. The lock is an exclusive SQLite transaction on a file: the kernel frees it
 * the moment the process dies, and it holds between containers that share the folder.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Another process serves this folder. */
export class FolderLockedError extends Error {
  readonly dir: string;

  constructor(dir: string, options?: ErrorOptions) {
    super(`another broker serves ${dir}; stop it first, or use another folder`, options);
    this.name = 'FolderLockedError';
    this.dir = dir;
  }
}

export interface FolderLock {
  /** Frees the folder; again is fine. */
  release(): void;
}

const sqliteBusy = 5;

/**
 * Takes the folder's lock without waiting.
 * @throws FolderLockedError when another process holds it
 */
export function lockFolder(dir: string): FolderLock {
  const database = new DatabaseSync(join(dir, 'lock'));
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    const busy = error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy;
    throw busy ? new FolderLockedError(dir, { cause: error }) : error;
  }
  return {
    release() {
      if (database.isOpen) database.close();
    },
  };
}
