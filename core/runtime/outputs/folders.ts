/**
 * The output folders that a thread has open. Jobs may name folders of their own, so there can be many; those
 * that are not in use are closed beyond a number.
 */

interface Closable {
  close(): Promise<void>;
}

interface Entry<Folder> {
  readonly opening: Promise<Folder>;
  users: number;
}

const idleMax = 16;

export class Folders<Folder extends Closable> {
  /** In order of last use. */
  readonly #entries = new Map<string, Entry<Folder>>();

  /** Opens the folder, or shares the open one, while `use` runs. */
  async with<T>(
    path: string,
    open: (path: string) => Promise<Folder>,
    use: (folder: Folder) => Promise<T>,
  ): Promise<T> {
    const known = this.#entries.get(path);
    const entry = known ?? { opening: open(path), users: 0 };
    entry.users += 1;
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    try {
      return await use(await entry.opening);
    } catch (error) {
      // A folder that could not be opened is tried anew by the next job.
      await entry.opening.catch(() => this.#entries.delete(path));
      throw error;
    } finally {
      entry.users -= 1;
      await this.#closeIdle(idleMax);
    }
  }

  close(): Promise<void> {
    return this.#closeIdle(0);
  }

  async #closeIdle(leftMax: number): Promise<void> {
    if (this.#entries.size <= leftMax) return;
    const idle = [...this.#entries].filter(([, entry]) => entry.users === 0);
    for (const [path, entry] of idle.slice(0, Math.max(0, idle.length - leftMax))) {
      this.#entries.delete(path);
      await entry.opening.then(
        (folder) => folder.close(),
        () => {},
      );
    }
  }
}
