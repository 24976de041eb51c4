/**
 * The output stores that a thread has open. Jobs may name folders of their own, so there can be
 * many; those that are not in use are closed beyond a number.
 */

import { type OutputStore, openOutput } from '../../output/index.ts';

export interface Stores {
  /** Opens the folder's store, or shares the open one, while `use` runs. */
  with<T>(path: string, use: (store: OutputStore) => Promise<T>): Promise<T>;
}

interface Entry {
  readonly opening: Promise<OutputStore>;
  users: number;
}

const idleStoresMax = 16;

export function createStores(): Stores {
  /** In order of last use. */
  const entries = new Map<string, Entry>();

  function take(path: string): Entry {
    const entry = entries.get(path) ?? { opening: openOutput(path), users: 0 };
    entry.users += 1;
    entries.delete(path);
    entries.set(path, entry);
    return entry;
  }

  async function closeIdle(): Promise<void> {
    const idle = [...entries].filter(([, entry]) => entry.users === 0);
    for (const [path, entry] of idle.slice(0, Math.max(0, idle.length - idleStoresMax))) {
      entries.delete(path);
      await (await entry.opening).close();
    }
  }

  return {
    async with(path, use) {
      const entry = take(path);
      try {
        return await use(await entry.opening);
      } catch (error) {
        // A folder that could not be opened is tried anew by the next job.
        await entry.opening.catch(() => entries.delete(path));
        throw error;
      } finally {
        entry.users -= 1;
        await closeIdle();
      }
    },
  };
}
