/**
 * Final names of results, chosen before the settle and reserved within this process, so that only other
 * processes can take one before the file is there.
 */

import { inChunks } from './chunks.ts';
import { OutputError, type Overwrite } from './output.ts';
import { folded, numbered } from './paths.ts';
import { kindAt } from './tree/directory.ts';
import type { Tree } from './tree/tree.ts';

export interface ChosenNames {
  readonly paths: readonly string[];
  /** Ends the reservation: the files are there, or never will be. */
  release(): void;
}

const numberMax = 1_000_000;
const hintsMax = 10_000;

export class Names {
  readonly #tree: Tree;
  readonly #reserved = new Set<string>();
  /** The last number of a name, so that the thousandth job does not count from 2. */
  readonly #hints = new Map<string, number>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /**
   * Paths of `freed` count as free.
   * @throws OutputError `exists` when a name is taken and the policy does not solve it
   */
  async choose(
    paths: readonly string[],
    overwrite: Overwrite,
    freed: ReadonlySet<string> = new Set(),
  ): Promise<ChosenNames> {
    if (overwrite === 'replace') {
      await inChunks(paths, (path) => checkFree(this.#tree, path, overwrite));
      return { paths, release: () => {} };
    }
    const chosen: string[] = [];
    const keys: string[] = [];
    const release = (): void => {
      for (const key of keys.splice(0)) this.#reserved.delete(key);
    };
    try {
      for (const path of paths) {
        const free = await (overwrite === 'number'
          ? this.#takeNumbered(path, freed)
          : this.#takeExact(path, freed));
        chosen.push(free.path);
        keys.push(free.key);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { paths: chosen, release };
  }

  /** Reserves before it checks, so that two jobs cannot both find the same name free. */
  async #take(path: string, freed: ReadonlySet<string>): Promise<string | null> {
    const key = folded(path);
    if (this.#reserved.has(key)) return null;
    this.#reserved.add(key);
    let wasFree = false;
    try {
      wasFree = freed.has(path) || (await kindAt(this.#tree.root, path)) === 'free';
    } finally {
      if (!wasFree) this.#reserved.delete(key);
    }
    return wasFree ? key : null;
  }

  async #takeExact(path: string, freed: ReadonlySet<string>): Promise<Taken> {
    const key = await this.#take(path, freed);
    if (key !== null) return { path, key };
    await checkFree(this.#tree, path, 'error');
    throw nameTaken(this.#tree, path);
  }

  async #takeNumbered(path: string, freed: ReadonlySet<string>): Promise<Taken> {
    const plain = await this.#take(path, freed);
    if (plain !== null) return { path, key: plain };
    for (let number = this.#hints.get(path) ?? 2; number <= numberMax; number++) {
      const candidate = numbered(path, number);
      const key = await this.#take(candidate, freed);
      if (key === null) continue;
      if (this.#hints.size >= hintsMax) this.#hints.clear();
      this.#hints.set(path, number);
      return { path: candidate, key };
    }
    throw new OutputError('exists', `"${path}" and ${numberMax} numbered names are all taken`);
  }
}

interface Taken {
  readonly path: string;
  readonly key: string;
}

/**
 * Whether the path is free.
 * @throws OutputError `exists` when it is taken and the policy does not solve it
 */
export async function checkFree(tree: Tree, path: string, overwrite: Overwrite): Promise<boolean> {
  return isFree(tree, path, overwrite, await kindAt(tree.root, path));
}

/** The same for what was found there. */
export function isFree(
  tree: Tree,
  path: string,
  overwrite: Overwrite,
  found: Awaited<ReturnType<typeof kindAt>>,
): boolean {
  if (found === 'free' || overwrite === 'number') return found === 'free';
  if (found === 'folder') {
    throw new OutputError(
      'exists',
      `"${path}" is a folder in ${tree.path}; the output needs a file`,
    );
  }
  if (overwrite === 'replace') return false;
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
