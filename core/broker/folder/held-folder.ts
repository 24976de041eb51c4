/**
 * The folder of a running broker: open, locked, and identified by its inode. On Linux all files are
 * accessed through the open folder, so that a folder that is moved stays this broker's, and one put in
 * its place is never touched. On other systems its identity is checked before each change of a name.
 */

import { closeSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openOwnFolder, throughDescriptor } from '../../base/index.ts';
import type { Disk } from '../log/disk/disk.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { closeToOthers, refuseUnsafeFileSystem, syncNames } from './prepare-folder.ts';

/** The folder was removed, moved or replaced while its broker ran. */
export class FolderLostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FolderLostError';
  }
}

export class HeldFolder {
  /** Absolute path as given, for messages and clients. */
  readonly dir: string;
  /** Path by which files are accessed: leads to the open folder. */
  readonly root: string;
  readonly #descriptor: number;
  readonly #lock: FolderLock;
  /** Identities by name in the folder; the folder itself under an empty name. */
  readonly #kept = new Map<string, string>();

  /**
   * Creates the folder if needed, makes it private and locks it.
   * @throws FolderError, StartError or FolderLockedError; nothing is held then
   */
  static take(path: string, onNotice: (text: string) => void = () => undefined): HeldFolder {
    const own = openOwnFolder(path);
    try {
      refuseUnsafeFileSystem(own);
      closeToOthers(own, onNotice);
      syncNames(own);
      return new HeldFolder(own.dir, own.descriptor);
    } catch (error) {
      closeSync(own.descriptor);
      throw error;
    }
  }

  private constructor(dir: string, descriptor: number) {
    this.dir = dir;
    this.#descriptor = descriptor;
    this.root = throughDescriptor(descriptor) ?? dir;
    this.#kept.set('', identityOf(this.root) ?? '');
    this.#lock = lockFolder(dir, this.root);
    try {
      this.keep('lock');
      this.check();
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  /** Device and inode of the folder, which no copy has. */
  get identity(): string {
    return this.#kept.get('') ?? '';
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** From here on `check` fails when this name is missing or replaced. */
  keep(name: string): void {
    const identity = identityOf(this.path(name));
    if (identity === null) throw new FolderLostError(`${join(this.dir, name)} is missing`);
    this.#kept.set(name, identity);
  }

  /** @throws FolderLostError when the folder, its lock or its log was moved, removed or replaced */
  check(): void {
    const lossError = this.lossError();
    if (lossError !== null) throw lossError;
  }

  /** The error of `check`; null when there is none. */
  lossError(): FolderLostError | null {
    for (const [name, identity] of this.#kept) {
      const now = identityOf(name === '' ? this.dir : this.path(name));
      if (now === identity) continue;
      const what = join(this.dir, name);
      return new FolderLostError(
        now === null
          ? `${what} was moved away or removed while its broker ran; nothing more is written there`
          : `${what} was replaced while its broker ran; what is there now was not touched`,
      );
    }
    return null;
  }

  /** The same error with paths as the user gave them. */
  withUserPaths<Thrown>(error: Thrown): Thrown {
    if (error instanceof Error && this.root !== this.dir) {
      error.message = error.message.replaceAll(this.root, this.dir);
    }
    return error;
  }

  /** Releases the folder; idempotent. */
  release(): void {
    if (this.#kept.size === 0) return;
    this.#kept.clear();
    this.#lock.release();
    closeSync(this.#descriptor);
  }
}

/** Null when there is no such file. */
function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

/** A disk that accesses the folder's files through `root`, and changes no name once the folder is lost. */
export function heldDisk(
  disk: Disk,
  folder: Pick<HeldFolder, 'dir' | 'root' | 'check' | 'withUserPaths'>,
): Disk {
  const { dir, root } = folder;
  const at = (path: string): string =>
    path === dir || path.startsWith(`${dir}/`) ? root + path.slice(dir.length) : path;
  const withPaths = async <T>(operation: () => Promise<T>): Promise<T> => {
    try {
      return await operation();
    } catch (error) {
      throw folder.withUserPaths(error);
    }
  };
  const checked = <T>(operation: () => Promise<T>): Promise<T> =>
    withPaths(() => {
      folder.check();
      return operation();
    });
  return {
    makeDir: (path) => checked(() => disk.makeDir(at(path))),
    list: (path) => withPaths(() => disk.list(at(path))),
    readFile: (path) => withPaths(() => disk.readFile(at(path))),
    create: (path) => checked(() => disk.create(at(path))),
    open: (path) => checked(() => disk.open(at(path))),
    openForReading: (path) => withPaths(() => disk.openForReading(at(path))),
    rename: (from, to) => checked(() => disk.rename(at(from), at(to))),
    link: (from, to) => checked(() => disk.link(at(from), at(to))),
    remove: (path) => checked(() => disk.remove(at(path))),
    openDir: (path) => withPaths(() => disk.openDir(at(path))),
    space: (path) => checked(() => disk.space(at(path))),
  };
}
