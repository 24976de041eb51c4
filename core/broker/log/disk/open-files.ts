/** A cache of files that are open for reading. */

import type { Disk, ReadableFile } from './disk.ts';

interface OpenFile {
  readonly file: Promise<ReadableFile>;
  users: number;
}

export class OpenFiles {
  readonly #disk: Disk;
  readonly #idleMax: number;
  /** By path, least recently used first. */
  readonly #files = new Map<string, OpenFile>();

  /** @param idleMax unused files that stay open */
  constructor(disk: Disk, idleMax: number) {
    this.#disk = disk;
    this.#idleMax = idleMax;
  }

  /** Runs `work` with the file, which stays open until then. */
  async use<T>(path: string, work: (file: ReadableFile) => Promise<T>): Promise<T> {
    const open = this.#files.get(path) ?? {
      file: this.#disk.openForReading(path),
      users: 0,
    };
    this.#files.delete(path);
    this.#files.set(path, open);
    open.users += 1;
    try {
      return await work(await open.file);
    } catch (error) {
      // After any error the next reader opens the file again.
      if (this.#files.get(path) === open) this.#files.delete(path);
      throw error;
    } finally {
      open.users -= 1;
      await this.#closeIdle(path, open);
    }
  }

  /** Closes a file; the caller ensures that it is not in use. */
  async close(path: string): Promise<void> {
    const open = this.#files.get(path);
    this.#files.delete(path);
    if (open !== undefined) await (await open.file).close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#files.keys()].map((path) => this.close(path)));
  }

  async #closeIdle(path: string, used: OpenFile): Promise<void> {
    const forgotten = this.#files.get(path) !== used;
    if (forgotten && used.users === 0) {
      const file = await used.file.catch(() => null);
      await file?.close();
    }
    for (const [oldPath, { users }] of this.#files) {
      if (this.#files.size <= this.#idleMax) return;
      if (users === 0) await this.close(oldPath);
    }
  }
}
