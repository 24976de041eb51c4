/**
 * The folder of a broker, held: open, locked, and known by its inode. On Linux all files in it are
 * reached through the open folder, so that a folder which is moved away stays this broker's own, and
 * one that is put in its place is never touched. Elsewhere its identity is looked at before each
 * change of a name.
 */

import { closeSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openOwnFolder, throughDescriptor } from '../../base/index.ts';
import type { Disk } from '../log/disk.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { closeToOthers, refuseUnsafeFileSystem, syncNames } from './prepare-folder.ts';

/** The folder is not there any more, or another one is in its place. */
export class FolderGoneError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FolderGoneError';
  }
}

export class HeldFolder {
  /** Absolute, as it was named: for people and for clients. */
  readonly dir: string;
  /** Leads to the folder itself: what the broker opens, makes and removes is named by it. */
  readonly root: string;
  readonly #descriptor: number;
  readonly #lock: FolderLock;
  /** Identities by name in the folder; the folder itself has none. */
  readonly #kept = new Map<string, string>();

  /**
   * Makes the folder if need be, closes it to other users and takes its lock.
   * @throws FolderError, StartError or FolderLockedError; nothing of it is held then
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

  /** Device and inode of the folder: no copy of it has the same. */
  get identity(): string {
    return this.#kept.get('') ?? '';
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** From here on `check` fails when this name leads to something else. */
  keep(name: string): void {
    const identity = identityOf(this.path(name));
    if (identity === null) throw new FolderGoneError(`${join(this.dir, name)} is gone`);
    this.#kept.set(name, identity);
  }

  /** @throws FolderGoneError when the folder, or what it is locked by, is not what it was */
  check(): void {
    const gone = this.gone();
    if (gone !== null) throw gone;
  }

  /** Why the folder is not what it was; null while it is. */
  gone(): FolderGoneError | null {
    for (const [name, identity] of this.#kept) {
      const now = identityOf(name === '' ? this.dir : this.path(name));
      if (now === identity) continue;
      const what = join(this.dir, name);
      return new FolderGoneError(
        now === null
          ? `${what} was moved away or removed while its broker ran; nothing more is written there`
          : `${what} was replaced while its broker ran; what is there now was not touched`,
      );
    }
    return null;
  }

  /** The same error, with the names that its user knows. */
  inWords<Thrown>(error: Thrown): Thrown {
    if (error instanceof Error && this.root !== this.dir) {
      error.message = error.message.replaceAll(this.root, this.dir);
    }
    return error;
  }

  /** Frees the folder; again is fine. */
  release(): void {
    if (this.#kept.size === 0) return;
    this.#kept.clear();
    this.#lock.release();
    closeSync(this.#descriptor);
  }
}

/** Null when there is nothing. */
function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

/** A disk whose paths in the folder lead to what is held, and that changes no name once it is gone. */
export function heldDisk(
  disk: Disk,
  folder: Pick<HeldFolder, 'dir' | 'root' | 'check' | 'inWords'>,
): Disk {
  const { dir, root } = folder;
  const at = (path: string): string =>
    path === dir || path.startsWith(`${dir}/`) ? root + path.slice(dir.length) : path;
  const told = async <T>(operation: () => Promise<T>): Promise<T> => {
    try {
      return await operation();
    } catch (error) {
      throw folder.inWords(error);
    }
  };
  const checked = <T>(operation: () => Promise<T>): Promise<T> =>
    told(() => {
      folder.check();
      return operation();
    });
  return {
    makeDir: (path) => checked(() => disk.makeDir(at(path))),
    list: (path) => told(() => disk.list(at(path))),
    readFile: (path) => told(() => disk.readFile(at(path))),
    create: (path) => checked(() => disk.create(at(path))),
    open: (path) => checked(() => disk.open(at(path))),
    openForReading: (path) => told(() => disk.openForReading(at(path))),
    rename: (from, to) => checked(() => disk.rename(at(from), at(to))),
    link: (from, to) => checked(() => disk.link(at(from), at(to))),
    remove: (path) => checked(() => disk.remove(at(path))),
    openDir: (path) => told(() => disk.openDir(at(path))),
    space: (path) => checked(() => disk.space(at(path))),
  };
}
