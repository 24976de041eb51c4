/**
 * Gives the files of a settled job their names. The line in the index is appended between writing and
 * naming: who finds another writer's line there stops, and who was taken over finds its files removed.
 */

import { constants } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { hasCode } from '../base/index.ts';
import type { Batch } from './batch.ts';
import { inChunks } from './chunks.ts';
import { compare, indexedFile } from './contents.ts';
import { link, openFd, rename, unlink } from './fs.ts';
import { isSameResult } from './index-file/index-line.ts';
import type { ResultIndex } from './index-file/result-index.ts';
import { type Names, nameTaken } from './names.ts';
import { type Indexed, OutputError, type Result } from './output.ts';
import { removeUnchanged } from './replaced.ts';
import type { Tree } from './tree/tree.ts';
import { createUnfinished, removeFile, removeUnfinishedOf } from './unfinished.ts';

/** Steps of the way; a crash after each leaves another state on disk. */
export type PlaceStep = 'written' | 'indexed' | 'named';

export interface Placing {
  readonly tree: Tree;
  readonly index: ResultIndex;
  readonly names: Names;
  /** By which our lines in the index are known. */
  readonly by: string;
  /** Called after each step, before the next one begins: tests stop the process here. */
  readonly step: (step: PlaceStep) => void | Promise<void>;
}

/**
 * For the writer that settled the job. Resolves with the names that the files have: those of another
 * broker's result of this job where that was first.
 * @throws OutputError `taken_over` when another consumer writes this job; `exists`, `io`
 */
export async function place(placing: Placing, batch: Batch, result: Result): Promise<Indexed> {
  const { tree, index, by } = placing;
  const entry = entryOf(result, by);
  const written = await write(placing, batch, result);
  try {
    await placing.step('written');
    const { first, latest } = await index.append(entry);
    if (!isSameResult(first, entry)) return latest;
    if (first.by !== by) throw takenOver(result.jobId);
    await placing.step('indexed');
    const replaced = result.replaces === null ? null : await index.find(result.replaces);
    if (replaced !== null) await removeUnchanged(tree, replaced);
    return await name(placing, batch, result, { entry, written });
  } finally {
    await inChunks(written, (path) => removeFile(path));
  }
}

/**
 * For a job that was settled and is not known to be written: writes what is missing or half, after the
 * files of an earlier writer were removed. What is there and differs was put there by others.
 */
export async function recover(placing: Placing, batch: Batch, result: Result): Promise<Indexed> {
  const { tree, index, by } = placing;
  const own = entryOf(result, by);
  await removeUnfinishedOf(tree, result.jobId);
  const known = await index.find(result.jobId);
  if (known !== null && !isSameResult(known, own)) return known;
  const entry = { ...own, files: known?.files ?? own.files };
  const named = { ...result, files: result.files.map((file, at) => renamed(file, entry, at)) };
  const missing = new Set<number>();
  for (const [at, file] of named.files.entries()) {
    if (!(await isThere(placing, batch, { file, entry, known, result }))) missing.add(at);
  }
  const open = { ...named, files: named.files.filter((_, at) => missing.has(at)) };
  const written = await write(placing, batch, open);
  try {
    if (known === null) {
      const { first } = await index.append(entry);
      if (!isSameResult(first, entry)) return first;
      // A writer that was there meanwhile: it goes on, or is taken over the next time.
      if (first.by !== by) throw takenOver(result.jobId);
    }
    const done = await name(placing, batch, open, { entry, written });
    const places = [...missing];
    const files = entry.files.map((file, at) => done.files[places.indexOf(at)] ?? file);
    return { ...entry, files };
  } finally {
    await inChunks(written, (path) => removeFile(path));
  }
}

function renamed<T extends object>(file: T, { files }: Indexed, at: number): T & { path: string } {
  return { ...file, path: files[at]?.path ?? '' };
}

export function entryOf({ jobId, files, provider, model }: Result, by: string): Indexed {
  return { jobId, files: files.map(indexedFile), provider, model, by };
}

interface Checked {
  readonly file: Result['files'][number];
  readonly entry: Indexed;
  /** The job's line in the index; null when it has none. */
  readonly known: Indexed | null;
  readonly result: Result;
}

/** Whether the file is under its name; half of it is removed there, so that the name is free. */
async function isThere(
  { index }: Placing,
  batch: Batch,
  { file, known, result }: Checked,
): Promise<boolean> {
  const { folder, name: last } = await batch.folderOf(file.path);
  const at = `${folder.at}/${last}`;
  const found = await compare(at, file.content);
  if (found === 'missing' || found === 'folder') return false;
  const isDisputed = found === 'same' || known !== null;
  const owners = isDisputed ? await index.ownersOf(file.path) : [];
  const isOurs = owners.every((jobId) => jobId === result.jobId);
  if (found === 'same' && isOurs) {
    // Its writer may not have come to sync it.
    batch.keep(await openFd(at, constants.O_RDONLY | constants.O_NOFOLLOW));
    batch.changed(folder);
  }
  if (found === 'same') return isOurs;
  if (found === 'torn' && isOurs) {
    await unlink(at);
    batch.changed(folder);
    return false;
  }
  // Replaced since by a later result, which stays.
  return result.overwrite === 'replace' && known !== null && owners.at(-1) !== result.jobId;
}

async function write(
  { tree }: Placing,
  batch: Batch,
  { jobId, files }: Result,
): Promise<readonly string[]> {
  const written: string[] = [];
  try {
    await inChunks(files, async ({ content }, at) => {
      written[at] = await createUnfinished(tree, batch, { jobId, content });
    });
    return written;
  } catch (error) {
    await inChunks(Object.values(written), (path) => removeFile(path));
    throw error;
  }
}

interface Written {
  readonly entry: Indexed;
  readonly written: readonly string[];
}

/** Names the written files, in the order of the result; a line says so where they got others. */
async function name(
  placing: Placing,
  batch: Batch,
  result: Result,
  { entry, written }: Written,
): Promise<Indexed> {
  const paths = await inChunks(result.files, (file, at) =>
    nameOne(placing, batch, { file, result, from: written[at] ?? '' }),
  );
  await placing.step('named');
  const renamedTo = new Map(result.files.map(({ path }, at) => [path, paths[at] ?? path]));
  const files = entry.files.map((file) => ({
    ...file,
    path: renamedTo.get(file.path) ?? file.path,
  }));
  const isRenamed = files.some(({ path }, at) => path !== entry.files[at]?.path);
  const last = isRenamed ? (await placing.index.append({ ...entry, files })).latest : entry;
  const own = new Set(paths);
  return { ...last, files: last.files.filter(({ path }) => own.has(path)) };
}

interface Naming {
  readonly file: Result['files'][number];
  readonly result: Result;
  readonly from: string;
}

async function nameOne(
  { tree, index, names }: Placing,
  batch: Batch,
  { file, result, from }: Naming,
): Promise<string> {
  const { jobId, overwrite } = result;
  for (let path = file.path; ; ) {
    const { folder, name: last } = await batch.folderOf(path);
    const to = `${folder.at}/${last}`;
    batch.changed(folder);
    const taken = await tryName({ from, to, overwrite });
    if (taken === null) return path;
    if (taken === 'folder') throw nameTaken(tree, path);
    if (taken === 'missing') {
      // Either the file was removed, or the folder since it was opened.
      if ((await isMissing(from)) || !batch.forget(path)) throw takenOver(jobId);
      continue;
    }
    // Another consumer may have written this very file.
    const isSame = (await compare(to, file.content)) === 'same';
    const owners = isSame ? await index.ownersOf(path) : [];
    if (isSame && owners.every((owner) => owner === jobId)) return path;
    if (overwrite === 'error') throw nameTaken(tree, path);
    const chosen = await names.choose([file.path], overwrite);
    chosen.release();
    path = chosen.paths[0] ?? path;
  }
}

/** Null when it has the name now; else what is there, or that something is missing. */
async function tryName({
  from,
  to,
  overwrite,
}: {
  readonly from: string;
  readonly to: string;
  readonly overwrite: Result['overwrite'];
}): Promise<null | 'file' | 'folder' | 'missing'> {
  try {
    if (overwrite === 'replace') await rename(from, to);
    else await link(from, to);
    return null;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return 'file';
    if (hasCode(error, 'EISDIR')) return 'folder';
    if (hasCode(error, 'ENOENT')) return 'missing';
    throw error;
  }
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (error) {
    return hasCode(error, 'ENOENT');
  }
}

function takenOver(jobId: string): OutputError {
  return new OutputError('taken_over', `another consumer writes the result of job ${jobId}`);
}
