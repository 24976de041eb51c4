/** Prepares the folder of a broker: checks its file system, makes it private and its name durable. */

import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  statfsSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { OwnFolder } from '../../base/index.ts';
import { hasCode } from '../../base/index.ts';
import { fileSystemProblem, mountOf } from './file-system.ts';

/** Why no broker can start on a folder, with the fix. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

/** @throws StartError on a file system whose locks, sockets or syncs are unreliable */
export function refuseUnsafeFileSystem({ dir, descriptor }: OwnFolder): void {
  const problem = fileSystemProblem(statfsSync(dir).type, mountOf(descriptor));
  if (problem === null) return;
  throw new StartError(
    `no broker can serve ${dir}: ${problem}. Use a folder on a local disk of this machine, for ` +
      'example broker: file:/var/lib/aiq',
  );
}

/**
 * Sets mode 0700, which protects the Unix socket.
 * @throws StartError when it is open to others and holds files that are not a broker's
 */
export function closeToOthers(
  { dir, descriptor, mode }: OwnFolder,
  onNotice: (text: string) => void,
): void {
  if ((mode & 0o077) === 0) return;
  const names = readdirSync(dir);
  const found = (mode & 0o777).toString(8);
  // A copy of a broker's folder has its lock, and `broker.log` is made before a broker starts.
  const isBrokers = names.includes('lock') || names.every((name) => name.startsWith('broker.log'));
  if (!isBrokers) {
    throw new StartError(
      `other users may enter ${dir} (mode ${found}), and it holds files that are not a broker's; ` +
        'use an empty folder, or close it: chmod 700',
    );
  }
  fchmodSync(descriptor, 0o700);
  onNotice(`closed ${dir} to other users: its mode was ${found} and is 700 now`);
}

/** Makes the folder's name durable, as the log depends on it. */
export function syncNames({ dir, firstMade }: OwnFolder): void {
  const first = firstMade ?? dir;
  let folder = dir;
  do {
    folder = dirname(folder);
    syncFolder(folder);
  } while (folder.length >= first.length && folder !== dirname(folder));
}

/** Syncs the names in the folder; one that is not readable for us holds none that we made. */
function syncFolder(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (hasCode(error, 'EACCES')) return;
    throw error;
  }
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
