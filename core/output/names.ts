/**
 * Final names of results. They are chosen when a record is written, never when it is rolled forward.
 * Names are reserved within this process, so that only other processes can take one in between.
 */

import { inChunks } from './chunks.ts';
import { kindAt } from './directory.ts';
import { OutputError, type Overwrite } from './output.ts';
import { folded, numbered } from './paths.ts';
import type { Tree } from './tree.ts';

export interface Names {
  /** @throws OutputError `exists` when a name is taken and the policy does not solve it */
  choose(paths: readonly string[], overwrite: Overwrite): Promise<ChosenNames>;
}

export interface ChosenNames {
  readonly paths: readonly string[];
  /** Ends the reservation: the files are published, or never will be. */
  release(): void;
}

const numberMax = 1_000_000;
const hintsMax = 10_000;

export function createNames(tree: Tree): Names {
  const reserved = new Set<string>();
  /** The last number of a name, so that the thousandth job does not count from 2. */
  const hints = new Map<string, number>();

  /** Reserves before it checks, so that two jobs cannot both find the same name free. */
  async function take(path: string): Promise<string | null> {
    const key = folded(path);
    if (reserved.has(key)) return null;
    reserved.add(key);
    try {
      if ((await kindAt(tree.root, path)) === 'free') return key;
    } catch (error) {
      reserved.delete(key);
      throw error;
    }
    reserved.delete(key);
    return null;
  }

  async function takeNumbered(path: string): Promise<{ path: string; key: string }> {
    const plain = await take(path);
    if (plain !== null) return { path, key: plain };
    for (let number = hints.get(path) ?? 2; number <= numberMax; number++) {
      const candidate = numbered(path, number);
      const key = await take(candidate);
      if (key === null) continue;
      if (hints.size >= hintsMax) hints.clear();
      hints.set(path, number);
      return { path: candidate, key };
    }
    throw new OutputError('exists', `"${path}" and ${numberMax} numbered names are all taken`);
  }

  return {
    async choose(paths, overwrite) {
      if (overwrite !== 'number') {
        await inChunks(paths, (path) => checkFree(tree, path, overwrite));
        return { paths, release: () => {} };
      }
      const chosen: string[] = [];
      const keys: string[] = [];
      const release = (): void => {
        for (const key of keys.splice(0)) reserved.delete(key);
      };
      try {
        for (const path of paths) {
          const free = await takeNumbered(path);
          chosen.push(free.path);
          keys.push(free.key);
        }
      } catch (error) {
        release();
        throw error;
      }
      return { paths: chosen, release };
    },
  };
}

/** @throws OutputError `exists` when the path is taken and the policy does not solve it */
export async function checkFree(tree: Tree, path: string, overwrite: Overwrite): Promise<void> {
  const found = await kindAt(tree.root, path);
  if (found === 'free' || overwrite === 'number') return;
  if (found === 'folder') {
    throw new OutputError(
      'exists',
      `"${path}" is a folder in ${tree.path}; the output needs a file`,
    );
  }
  if (overwrite === 'replace') return;
  throw nameTaken(tree, path);
}

/** The error for a name that is taken under the policy `error`, or by a folder. */
export function nameTaken(tree: Tree, path: string): OutputError {
  return new OutputError(
    'exists',
    `"${path}" exists already in ${tree.path} and the agent says \`overwrite: error\`; ` +
      'move it away, or use `number` or `replace`',
  );
}
