/**
 * Removes staged results of crashed processes. The file of the commit record goes first: without it
 * the result can no longer be committed, however late its process wakes up, so the rest is safe to remove.
 */

import { lstat, readdir } from 'node:fs/promises';
import { hasCode } from '../base/index.ts';
import { inChunks } from './chunks.ts';
import { OutputError } from './output.ts';
import { findNewestRecord } from './records.ts';
import { type RollForward, rollForward } from './roll-forward.ts';
import { removeStaged } from './staging.ts';
import type { Tree } from './tree.ts';

const stagedFile = /^([0-9a-z-]{1,64})\.[0-9a-f]{16}\.(record|\d{1,4})$/;
const probeFile = /^probe\.[0-9a-f]{16}(\.link)?$/;

/** Removes what is older than `olderThanMs` and belongs to no record; resolves with the count. */
export async function sweepStaged(context: RollForward, olderThanMs: number): Promise<number> {
  const { tree } = context;
  const bornBefore = Date.now() - olderThanMs;
  let removed = 0;
  for (const [result, files] of await stagedResults(tree)) {
    if (!(await allOlder(tree, files, bornBefore))) continue;
    if (files.some((file) => probeFile.test(file))) {
      removed += await removeAll(tree, files);
      continue;
    }
    removed += await removeAll(tree, [`${result}.record`]);
    removed += await sweepStagedResult(context, result, files);
  }
  return removed;
}

async function sweepStagedResult(
  context: RollForward,
  result: string,
  files: readonly string[],
): Promise<number> {
  const { tree } = context;
  const jobId = result.slice(0, result.indexOf('.'));
  const newest = await findNewestRecord(tree, jobId);
  const committed = newest?.record.files.some((file) => files.includes(file.staged)) ?? false;
  if (newest === null || !committed) return removeAll(tree, files);
  try {
    await tree.sync(tree.commit);
    await rollForward(context, newest);
  } catch (error) {
    // A result that waits for its name to become free stays where it is.
    if (!(error instanceof OutputError)) throw error;
  }
  return 0;
}

/** The files in staging by result. */
async function stagedResults(tree: Tree): Promise<Map<string, string[]>> {
  const results = new Map<string, string[]>();
  for (const file of await readdir(tree.staged.at)) {
    const known = stagedFile.test(file) || probeFile.test(file);
    if (!known) continue;
    const result = file.split('.').slice(0, 2).join('.');
    results.set(result, [...(results.get(result) ?? []), file]);
  }
  return results;
}

async function allOlder(
  tree: Tree,
  files: readonly string[],
  bornBefore: number,
): Promise<boolean> {
  for (const file of files) {
    try {
      if ((await lstat(`${tree.staged.at}/${file}`)).mtimeMs > bornBefore) return false;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return true;
}

async function removeAll(tree: Tree, files: readonly string[]): Promise<number> {
  const results = await inChunks(files, (file) => removeStaged(tree, file));
  return results.filter(Boolean).length;
}
