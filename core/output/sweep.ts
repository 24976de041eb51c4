/**
 * Clearing up behind crashed attempts. An attempt's record file goes first: without it the attempt
 * can no longer commit, however late its process wakes up, so its other files are then safe to remove.
 */

import { lstat, readdir } from 'node:fs/promises';
import { inChunks } from './chunks.ts';
import { errorCode } from './directory.ts';
import { OutputError } from './output.ts';
import { findStanding } from './records.ts';
import { type RollForward, rollForward } from './roll-forward.ts';
import { removeStaged } from './staging.ts';
import type { Tree } from './tree.ts';

const attemptFile = /^([0-9a-z-]{1,64})\.[0-9a-f]{16}\.(record|\d{1,4})$/;
const probeFile = /^probe\.[0-9a-f]{16}(\.link)?$/;

/** Removes what is older than `olderThanMs` and belongs to no record; resolves with the count. */
export async function sweepStaged(context: RollForward, olderThanMs: number): Promise<number> {
  const { tree } = context;
  const bornBefore = Date.now() - olderThanMs;
  let removed = 0;
  for (const [attempt, files] of await attemptsIn(tree)) {
    if (!(await allOlder(tree, files, bornBefore))) continue;
    if (files.some((file) => probeFile.test(file))) {
      removed += await removeAll(tree, files);
      continue;
    }
    removed += await removeAll(tree, [`${attempt}.record`]);
    removed += await settleAttempt(context, attempt, files);
  }
  return removed;
}

async function settleAttempt(
  context: RollForward,
  attempt: string,
  files: readonly string[],
): Promise<number> {
  const { tree } = context;
  const jobId = attempt.slice(0, attempt.indexOf('.'));
  const standing = await findStanding(tree, jobId);
  const committed = standing?.record.files.some((file) => files.includes(file.staged)) ?? false;
  if (standing === null || !committed) return removeAll(tree, files);
  try {
    await tree.sync(tree.commit);
    await rollForward(context, standing);
  } catch (error) {
    // A result that waits for its name to become free stays where it is.
    if (!(error instanceof OutputError)) throw error;
  }
  return 0;
}

/** The files in staging by attempt. */
async function attemptsIn(tree: Tree): Promise<Map<string, string[]>> {
  const attempts = new Map<string, string[]>();
  for (const file of await readdir(tree.staged.at)) {
    const known = attemptFile.test(file) || probeFile.test(file);
    if (!known) continue;
    const attempt = file.split('.').slice(0, 2).join('.');
    attempts.set(attempt, [...(attempts.get(attempt) ?? []), file]);
  }
  return attempts;
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
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  return true;
}

async function removeAll(tree: Tree, files: readonly string[]): Promise<number> {
  const results = await inChunks(files, (file) => removeStaged(tree, file));
  return results.filter(Boolean).length;
}
