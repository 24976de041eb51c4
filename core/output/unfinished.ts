/**
 * Files that have no name yet, in `.aiq/unfinished/`: `<job>.<pid>.<random>`. Who takes a job over removes
 * those of its earlier writer first: however late that one wakes up, it finds nothing to give a name to.
 */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { hasCode } from '../base/index.ts';
import type { Batch } from './batch.ts';
import { closeFd, openFd, unlink, writeAll } from './fs.ts';
import { OutputError } from './output.ts';
import type { Tree } from './tree/tree.ts';

const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const fileMode = 0o666;
const jobIdPattern = /^[0-9a-z-]{1,64}$/;
const namePattern = /^([0-9a-z-]{1,64})\.(\d{1,10})\.[0-9a-f]{12}$/;
/** A writer that cannot be seen from here is given up after this time. */
const orphanMs = 3_600_000;

const own = randomBytes(3).toString('hex');
let count = 0;

/** Not even a process with the same number, in another namespace, makes it. */
function uniqueName(): string {
  count = (count + 1) % 0x100_0000;
  return own + count.toString(16).padStart(6, '0');
}

/** @throws OutputError `path_invalid` for an id that is no file name of ours */
export function checkJobId(jobId: string): void {
  if (jobIdPattern.test(jobId)) return;
  throw new OutputError('path_invalid', `not a job id: ${JSON.stringify(jobId.slice(0, 60))}`);
}

/** Writes the content into a file without a name of its own; returns its path, which needs no sync yet. */
export async function createUnfinished(
  tree: Tree,
  batch: Batch,
  { jobId, content }: { readonly jobId: string; readonly content: Uint8Array },
): Promise<string> {
  const path = `${tree.unfinished.at}/${jobId}.${process.pid}.${uniqueName()}`;
  const fd = await openFd(path, createFlags, fileMode);
  try {
    await writeAll(fd, content);
  } catch (error) {
    await closeFd(fd);
    await removeFile(path);
    throw error;
  }
  batch.keep(fd);
  return path;
}

/** False when it is missing. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** What anyone has unfinished of the job. */
export function removeUnfinishedOf(tree: Tree, jobId: string): Promise<void> {
  return removeWhere(tree, async (name) => name.startsWith(`${jobId}.`));
}

/** What processes left that are no more. */
export function removeOrphans(tree: Tree): Promise<void> {
  return removeWhere(tree, async (name) => {
    const pid = Number(namePattern.exec(name)?.[2] ?? 0);
    if (pid === 0) return false;
    if (!isRunning(pid)) return true;
    const { mtimeMs } = await lstat(`${tree.unfinished.at}/${name}`);
    return mtimeMs < Date.now() - orphanMs;
  });
}

async function removeWhere(tree: Tree, isDue: (name: string) => Promise<boolean>): Promise<void> {
  for (const name of await readdir(tree.unfinished.at)) {
    try {
      if (await isDue(name)) await removeFile(`${tree.unfinished.at}/${name}`);
    } catch (error) {
      // Its writer gave it a name meanwhile.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}
