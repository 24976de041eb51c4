/**
 * Commit records on disk. The first one, `commit/<jobId>`, is the commit point and never changes. When
 * another program took a name that it chose, a successor `commit/<jobId>.1` chooses another name; the
 * newest record is valid.
 */

import { constants } from 'node:fs';
import { link, open } from 'node:fs/promises';
import { hasCode, messageOf } from '../base/index.ts';
import { type CommitRecord, OutputError } from './output.ts';
import { checkPaths } from './paths.ts';
import type { Tree } from './tree.ts';

/** The newest record of a job. `generation` counts its successors, from 0. */
export interface NewestRecord {
  readonly record: CommitRecord;
  readonly generation: number;
}

/** A job whose names were taken this often in a row is given up. */
export const generationsMax = 100;

const recordBytesMax = 4 * 1024 * 1024;
const stagedName = /^[0-9a-z-]{1,64}\.[0-9a-f]{16}\.\d{1,4}$/;
const jobIdPattern = /^[0-9a-z-]{1,64}$/;

/** @throws OutputError `path_invalid` for an id that is no file name of ours */
export function checkJobId(jobId: string): void {
  if (jobIdPattern.test(jobId)) return;
  throw new OutputError('path_invalid', `not a job id: ${JSON.stringify(jobId.slice(0, 60))}`);
}

export function recordName(jobId: string, generation: number): string {
  return generation === 0 ? jobId : `${jobId}.${generation}`;
}

/** The newest record of a job, or null when it has none. */
export async function findNewestRecord(tree: Tree, jobId: string): Promise<NewestRecord | null> {
  checkJobId(jobId);
  let newest: NewestRecord | null = null;
  for (let generation = 0; generation <= generationsMax; generation++) {
    const text = await readRecord(tree, recordName(jobId, generation));
    if (text === null) return newest;
    newest = { record: parseRecord(text, jobId), generation };
  }
  return newest;
}

/** Links a staged record under its name; false when that name exists already. */
export async function linkRecord(tree: Tree, from: string, name: string): Promise<boolean> {
  try {
    await link(`${tree.staged.at}/${from}`, `${tree.commit.at}/${name}`);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    if (!hasCode(error, 'ENOENT')) throw error;
    const why = 'its staged files were swept away because it had rested for too long';
    throw new OutputError('io', `the result was not published: ${why}`, { cause: error });
  }
}

async function readRecord(tree: Tree, name: string): Promise<string | null> {
  try {
    const path = `${tree.commit.at}/${name}`;
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size } = await handle.stat();
      if (size > recordBytesMax) throw damaged(name, 'it is too large');
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** A record decides where bytes go, so it is trusted no more than a request is. */
function parseRecord(text: string, jobId: string): CommitRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(jobId, messageOf(error));
  }
  if (!isRecord(value) || value.jobId !== jobId) throw damaged(jobId, 'it has other fields');
  checkPaths(value.files.map((file) => file.path));
  return value;
}

function isRecord(value: unknown): value is CommitRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<CommitRecord>;
  return (
    record.version === 1 &&
    ['error', 'replace', 'number'].includes(String(record.overwrite)) &&
    typeof record.provenance === 'object' &&
    Array.isArray(record.files) &&
    record.files.every(isFile)
  );
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const file = value as Partial<CommitRecord['files'][number]>;
  return typeof file.path === 'string' && stagedName.test(String(file.staged));
}

function damaged(what: string, why: string): OutputError {
  return new OutputError('io', `the commit record of ${what} is damaged: ${why}`);
}
