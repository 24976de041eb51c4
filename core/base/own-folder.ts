/**
 * Opens a folder that must be the user's own. What is reached through the open folder stays in it,
 * whatever its path leads to later: a user may move the folder away and put another in its place.
 */

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { FolderError, makeFolder } from './make-folder.ts';

export interface OwnFolder {
  /** Absolute, as it was named. */
  readonly dir: string;
  /** Keeps the folder open until its user closes it. */
  readonly descriptor: number;
  /** Permission bits that it has. */
  readonly mode: number;
  /** The topmost folder that was missing and was made; null when all were there. */
  readonly firstMade: string | null;
}

/**
 * Opens the folder, and makes it with mode 0700 when it is missing. Changes nothing in a folder that
 * it refuses.
 * @throws FolderError when it cannot be made, is a link, or belongs to another user
 */
export function openOwnFolder(path: string): OwnFolder {
  const dir = resolve(path);
  refuseLink(dir);
  const firstMade = makeFolder(dir, 0o700);
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const descriptor = openSync(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const { uid, mode } = fstatSync(descriptor);
  if (uid === process.getuid?.()) return { dir, descriptor, mode: mode & 0o7777, firstMade };
  closeSync(descriptor);
  const reason = `it belongs to another user (uid ${uid}); use a folder of your own`;
  throw new FolderError(dir, reason, { code: 'EACCES' }, 'use');
}

/** Who can change the link, or packs it into an archive, would choose which folder is filled. */
function refuseLink(dir: string): void {
  const found = lstatSync(dir, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() !== true) return;
  const reason = `it is a link to ${readlinkSync(dir)}; name the folder itself`;
  throw new FolderError(dir, reason, { code: 'ELOOP' }, 'use');
}

/**
 * A path that leads to the open folder for as long as it is open; null where the system has none
 * (macOS, or no `/proc`).
 */
export function throughDescriptor(descriptor: number): string | null {
  const path = `/proc/self/fd/${descriptor}`;
  const [there, own] = [statSync(path, { throwIfNoEntry: false }), fstatSync(descriptor)];
  return there?.ino === own.ino && there.dev === own.dev ? path : null;
}
