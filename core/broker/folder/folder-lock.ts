/**
 * The lock of a broker's folder: an exclusive SQLite transaction on a file. The kernel releases it when
 * the process dies, and it works between containers that share the folder.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../base/index.ts';
import { StartError } from './prepare-folder.ts';

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
  /** Releases the lock; idempotent. */
  release(): void;
}

/** https://sqlite.org/rescode.html */
const sqlite = { busy: 5, full: 13, notADatabase: 26 } as const;

/**
 * Takes the folder's lock without waiting.
 * @param root another path to the folder, by which the file is opened
 * @throws FolderLockedError when another process holds it
 * @throws StartError when the file cannot be locked, with the fix
 */
export function lockFolder(dir: string, root: string = dir): FolderLock {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(join(root, 'lock'));
    // Nothing is written: the lock needs no disk space and no second file.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    if (database?.isOpen === true) database.close();
    throw lockError(dir, error);
  }
  const held = database;
  return {
    release() {
      if (held.isOpen) held.close();
    },
  };
}

function lockError(dir: string, cause: unknown): Error {
  const code = cause instanceof Error && 'errcode' in cause ? cause.errcode : null;
  if (code === sqlite.busy) return new FolderLockedError(dir, { cause });
  const reason = messageOf(cause);
  const fixes: Readonly<Record<string, string>> = {
    [sqlite.full]: 'make room on its disk',
    [sqlite.notADatabase]: 'it is not a lock file of a broker: remove it',
  };
  const fix = fixes[String(code)] ?? 'check the disk and the mode of the file';
  return new StartError(`${join(dir, 'lock')} cannot be locked (${reason}); ${fix}`, { cause });
}
