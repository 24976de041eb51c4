/**
 * One output folder, as this process writes results into it. Any number of processes may share a folder.
 * Results are real before they come here; what is here is their projection.
 */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Batch } from './batch.ts';
import { compare, indexedFile } from './contents.ts';
import { link } from './fs.ts';
import { ResultIndex } from './index-file/result-index.ts';
import { migrate } from './migrate.ts';
import { type ChosenNames, Names } from './names.ts';
import { type Indexed, type Overwrite, type Result, type ResultFile } from './output.ts';
import { checkPath, checkPaths } from './paths.ts';
import { type PlaceStep, type Placing, place, recover } from './place.ts';
import { isUnchangedPart } from './replaced.ts';
import { asOutputError } from './tree/directory.ts';
import { closeTree, openFailure, openTree } from './tree/tree.ts';
import { checkJobId, createUnfinished, removeFile, removeOrphans } from './unfinished.ts';

export interface FolderOptions {
  readonly onStep?: (step: PlaceStep) => void | Promise<void>;
  /** An earlier aiq had left its records here, and how many were taken over. */
  readonly onMigrated?: (results: number) => void;
}

interface Reservation {
  /** The job whose unchanged files count as free. */
  readonly replaces?: string | null;
  /** A path, in its normal form, at which nothing lay when the job began. */
  readonly wasFree?: string | null;
}

/** Descriptors that wait for a sync before it is made out of turn. */
const heldMax = 256;

export class OutputFolder {
  readonly #placing: Placing;
  #batch: Batch;
  /** The syncs, one after the other. */
  #syncing: Promise<void> = Promise.resolve();
  /** Why something could not be synced. */
  #failure: unknown = null;

  private constructor(placing: Placing) {
    this.#placing = placing;
    this.#batch = new Batch(placing.tree);
  }

  /**
   * Opens an output root and makes it when it is missing.
   * @throws OutputError `io`, also when the file system has no hard links
   */
  static async open(path: string, options: FolderOptions = {}): Promise<OutputFolder> {
    const tree = await openTree(path);
    const by = randomBytes(8).toString('hex');
    try {
      await removeOrphans(tree);
      const index = await ResultIndex.open(tree.own);
      const step = async (one: PlaceStep): Promise<void> => options.onStep?.(one);
      const folder = new OutputFolder({ tree, index, names: new Names(tree), by, step });
      try {
        await folder.#tryHardLinks();
        const taken = await migrate(tree, index, by);
        if (taken !== null) options.onMigrated?.(taken);
      } catch (error) {
        await index.close();
        throw error;
      }
      return folder;
    } catch (error) {
      const failure = openFailure(path, error);
      await closeTree(tree);
      throw failure;
    }
  }

  /** Resolved path, for messages. */
  get path(): string {
    return this.#placing.tree.path;
  }

  /** The job's result here; null when it has none. */
  find(jobId: string): Promise<Indexed | null> {
    return this.#guarded(jobId, () => this.#placing.index.find(jobId));
  }

  /** The files of a result as they are now; null unless each of them is as it was written. */
  async contentsOf(result: Indexed): Promise<ResultFile[] | null> {
    const contents: ResultFile[] = [];
    for (const { path, sha256 } of result.files) {
      if (!(await isUnchangedPart(this.#placing.tree, result, path))) return null;
      const content = await readFile(join(this.path, path));
      if (indexedFile({ path, content }).sha256 !== sha256) return null;
      contents.push({ path, content });
    }
    return contents;
  }

  /**
   * Chooses the names of a result and keeps them for it.
   * @throws OutputError `path_invalid` or `exists`
   */
  async reserve(
    paths: readonly string[],
    overwrite: Overwrite,
    { replaces = null, wasFree = null }: Reservation = {},
  ): Promise<ChosenNames> {
    const { tree, index, names } = this.#placing;
    const normal = checkPaths(paths);
    return this.#guarded(normal[0] ?? '', async () => {
      const before = replaces === null ? null : await index.find(replaces);
      const freed = new Set<string>();
      for (const path of normal) {
        // Who takes it since then is met by the link, and the result gets a number.
        const isFree = path === wasFree && overwrite === 'number';
        if (isFree || (await isUnchangedPart(tree, before, path))) freed.add(path);
      }
      return names.choose(normal, overwrite, freed);
    });
  }

  /** Writes the files of a job that this process settled: see `place`. They are durable after `sync`. */
  place(result: Result): Promise<Indexed> {
    return this.#write(result, place);
  }

  /** Writes what is missing or half of a job that was settled and is not known to be written. */
  recover(result: Result): Promise<Indexed> {
    return this.#write(result, recover);
  }

  /**
   * Writes a file again that was written and is missing. One that is there and differs is replaced only
   * with `force`.
   * @returns what was found
   */
  async restore(jobId: string, file: ResultFile, force: boolean): ReturnType<typeof compare> {
    checkJobId(jobId);
    const path = checkPath(file.path);
    // What was removed since is opened anew.
    await this.#syncBatch();
    return this.#guarded(path, () =>
      this.#batch.use(async (batch) => {
        const { tree } = this.#placing;
        const { folder, name } = await batch.folderOf(path);
        const to = `${folder.at}/${name}`;
        const found = await compare(to, file.content);
        const isDue = found === 'missing' || (force && found !== 'same' && found !== 'folder');
        if (!isDue) return found;
        const from = await createUnfinished(tree, batch, { jobId, content: file.content });
        try {
          if (found !== 'missing') await removeFile(to);
          await link(from, to);
        } finally {
          await removeFile(from);
        }
        batch.changed(folder);
        return found;
      }),
    );
  }

  /**
   * Resolves once all that was written before the call is durable, names and index included. A failure
   * speaks of all that was written since the last call.
   */
  async sync(): Promise<void> {
    await this.#syncBatch();
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw asOutputError(failure, '', this.#placing.tree.root);
  }

  /** Syncs run one after the other, each for what gathered before it. */
  #syncBatch(): Promise<void> {
    const batch = this.#batch;
    if (batch.isEmpty) return this.#syncing;
    this.#batch = new Batch(this.#placing.tree);
    this.#syncing = this.#syncAfter(this.#syncing, batch);
    return this.#syncing;
  }

  async #syncAfter(before: Promise<void>, batch: Batch): Promise<void> {
    await before;
    try {
      await batch.finish();
      await this.#placing.index.sync();
    } catch (error) {
      this.#failure = error;
    }
  }

  /** Closes the handles, once what is under way is synced; the folder cannot be used afterwards. */
  async close(): Promise<void> {
    await this.sync().catch(() => {});
    await this.#placing.index.close();
    await closeTree(this.#placing.tree);
  }

  async #write(result: Result, work: typeof place): Promise<Indexed> {
    checkJobId(result.jobId);
    checkPaths(result.files.map(({ path }) => path));
    if (this.#batch.held > heldMax) await this.#syncBatch();
    return this.#guarded(result.files[0]?.path ?? '', () =>
      this.#batch.use((batch) => work(this.#placing, batch, result)),
    );
  }

  async #tryHardLinks(): Promise<void> {
    const { tree } = this.#placing;
    await this.#batch.use(async (batch) => {
      const content = new Uint8Array(0);
      const probe = await createUnfinished(tree, batch, { jobId: 'probe', content });
      try {
        await link(probe, `${probe}.link`);
        await removeFile(`${probe}.link`);
      } finally {
        await removeFile(probe);
      }
    });
  }

  async #guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asOutputError(error, what, this.#placing.tree.root);
    }
  }
}
