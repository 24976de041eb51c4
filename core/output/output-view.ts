/**
 * One output folder as the threads of jobs read it: the result that a job has there, and whether a path is
 * free. Nothing is written, and no call goes to the thread pool: each takes microseconds.
 */

import { readAtOnce } from './fs.ts';
import { ResultIndex } from './index-file/result-index.ts';
import { isFree } from './names.ts';
import type { Indexed, Overwrite } from './output.ts';
import { checkPath } from './paths.ts';
import { isUnchangedPart } from './replaced.ts';
import { asOutputError, kindAtOnce } from './tree/directory.ts';
import { closeTree, openTree, type Tree } from './tree/tree.ts';

export class OutputView {
  readonly #tree: Tree;
  readonly #index: ResultIndex;

  private constructor(tree: Tree, index: ResultIndex) {
    this.#tree = tree;
    this.#index = index;
  }

  /**
   * Opens a folder that an `OutputFolder` was opened for.
   * @throws OutputError `io`
   */
  static async open(path: string): Promise<OutputView> {
    const tree = await openTree(path);
    try {
      return new OutputView(tree, await ResultIndex.open(tree.own, readAtOnce));
    } catch (error) {
      const failure = asOutputError(error, path, tree.root);
      await closeTree(tree);
      throw failure;
    }
  }

  /** The job's result here; null when it has none. */
  async find(jobId: string): Promise<Indexed | null> {
    try {
      return await this.#index.find(jobId);
    } catch (error) {
      throw asOutputError(error, jobId, this.#tree.root);
    }
  }

  /**
   * Checks, before anything is bought, that the path is legal and free under the policy.
   * @param replaces the job whose unchanged files count as free
   * @returns the path, in its normal form, where nothing lies there yet; null where something may be replaced
   * @throws OutputError `path_invalid` or `exists`
   */
  async check(
    path: string,
    overwrite: Overwrite,
    replaces: string | null = null,
  ): Promise<string | null> {
    const normal = checkPath(path);
    const before = replaces === null ? null : await this.find(replaces);
    if (before !== null && (await isUnchangedPart(this.#tree, before, normal))) return null;
    const found = kindAtOnce(this.#tree.root, normal);
    return isFree(this.#tree, normal, overwrite, found) ? normal : null;
  }

  async close(): Promise<void> {
    await this.#index.close();
    await closeTree(this.#tree);
  }
}
