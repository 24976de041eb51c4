/**
 * What was written since the last sync: descriptors and folders that are held until one sync makes all of
 * it durable. Jobs that are still at it keep their batch open.
 */

import { closeSync } from 'node:fs';
import { inChunks } from './chunks.ts';
import { syncData } from './fs.ts';
import { closeAll, type Directory, makeDirectory } from './tree/directory.ts';
import type { Tree } from './tree/tree.ts';

export class Batch {
  readonly #tree: Tree;
  readonly #fds: number[] = [];
  /** By path below the root. */
  readonly #folders = new Map<string, Promise<Directory>>();
  /** Removed since they were opened, and still to be closed. */
  readonly #forgotten: Promise<Directory>[] = [];
  /** Folders in which a name is new. */
  readonly #changed = new Set<Directory>();
  #users = 0;
  #unused: (() => void) | null = null;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  get isEmpty(): boolean {
    return this.#fds.length === 0 && this.#changed.size === 0 && this.#users === 0;
  }

  /** Descriptors that it holds. */
  get held(): number {
    return this.#fds.length + this.#folders.size;
  }

  async use<T>(work: (batch: this) => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work(this);
    } finally {
      this.#users--;
      if (this.#users === 0) this.#unused?.();
    }
  }

  /** Keeps a file open until it is synced. */
  keep(fd: number): void {
    this.#fds.push(fd);
  }

  changed(directory: Directory): void {
    this.#changed.add(directory);
  }

  /** The folder of a path below the root, made where it is missing. */
  async folderOf(path: string): Promise<{ readonly folder: Directory; readonly name: string }> {
    const segments = path.split('/');
    const name = segments.pop() ?? '';
    let folder = this.#tree.root;
    for (let depth = 1; depth <= segments.length; depth++) {
      const parent = folder;
      const segment = segments[depth - 1] ?? '';
      const key = segments.slice(0, depth).join('/');
      const opening = this.#folders.get(key) ?? makeDirectory(parent, segment);
      this.#folders.set(key, opening);
      opening.catch(() => this.#folders.delete(key));
      folder = await opening;
      // It may be new, made here or by a process that has not synced it.
      this.#changed.add(parent);
    }
    return { folder, name };
  }

  /** Opens the folders on the way to a path anew; false when none was open. */
  forget(path: string): boolean {
    const segments = path.split('/').slice(0, -1);
    const keys = segments.map((_, index) => segments.slice(0, index + 1).join('/'));
    const known = keys.filter((key) => this.#folders.has(key));
    for (const key of known) {
      const folder = this.#folders.get(key);
      if (folder !== undefined) this.#forgotten.push(folder);
      this.#folders.delete(key);
    }
    return known.length > 0;
  }

  /** Once nothing uses it any more: syncs all of it and lets go of it. */
  async finish(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#unused = resolve;
      });
    }
    try {
      await inChunks(this.#fds, (fd) => syncData(fd));
      await inChunks([...this.#changed], ({ handle }) => handle.sync());
    } finally {
      for (const fd of this.#fds.splice(0)) closeSync(fd);
      const opened = [...this.#folders.values(), ...this.#forgotten.splice(0)];
      const folders = await Promise.allSettled(opened);
      this.#folders.clear();
      this.#changed.clear();
      await closeAll(folders.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])));
    }
  }
}
