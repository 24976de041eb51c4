/**
 * The Unix socket file: makes its folder private, replaces the socket of a dead broker, and removes only
 * its own.
 */

import { lstatSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { shortSocketPath } from '../../../base/index.ts';
import { ListenError } from './listen-error.ts';

/** A socket that listens at its path, until it is released. */
interface BoundSocket {
  /** Removes the socket's file if it is still this one's. To be called once it does not listen. */
  release(): void;
}

/**
 * Binds to a temporary path and renames the socket, so that Node, which removes what it bound by path,
 * never removes another process's socket. The caller holds the folder's lock: a socket found there is
 * stale.
 * @throws ListenError when others may enter the folder, or when the path is no socket
 */
export async function bindSocket(
  path: string,
  listen: (path: string) => Promise<void>,
): Promise<BoundSocket> {
  prepareSocketFolder(path);
  const temporary = `${path}.tmp`;
  rmSync(temporary, { force: true });
  const short = shortSocketPath(temporary);
  try {
    await listen(short.path);
    renameSync(temporary, path);
  } catch (error) {
    short.release();
    throw error;
  }
  const own = identityOf(path);
  return {
    release() {
      if (identityOf(path) === own) rmSync(path, { force: true });
      short.release();
    },
  };
}

/** Device and inode; null when there is nothing. */
function identityOf(path: string): string | null {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

/** Makes the folder, checks that it is private and that nothing but a socket has this name. */
function prepareSocketFolder(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  assertPrivate(folder);
  const stale = lstatSync(path, { throwIfNoEntry: false });
  if (stale === undefined) return;
  if (!stale.isSocket()) {
    throw new ListenError('NOT_A_SOCKET', `${path} exists and is not a socket; move it away`);
  }
}

/** The folder's mode is the access control: a client that can open the socket may use the broker. */
function assertPrivate(folder: string): void {
  const { mode, uid } = statSync(folder);
  if ((mode & 0o077) !== 0) {
    const found = (mode & 0o777).toString(8);
    throw new ListenError(
      'OPEN_FOLDER',
      `other users may enter ${folder} (mode ${found}) and could use the broker; chmod 700 it or choose another folder`,
    );
  }
  if (uid !== process.getuid?.()) {
    throw new ListenError(
      'OPEN_FOLDER',
      `${folder} belongs to another user (uid ${uid}), who could use the broker; choose another folder`,
    );
  }
}
