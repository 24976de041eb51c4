/**
 * Takes over what earlier builds kept in a folder: a commit record, a provenance record and staged files for
 * each job. Unfinished results are finished, each record becomes a line of the index, and only then the old
 * files go: killed in the middle, the next opening goes on.
 */

import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import { hasCode } from '../base/index.ts';
import { Batch } from './batch.ts';
import { link, rename } from './fs.ts';
import type { ResultIndex } from './index-file/result-index.ts';
import { Names } from './names.ts';
import type { Indexed, IndexedFile, Overwrite } from './output.ts';
import { checkPaths } from './paths.ts';
import type { Tree } from './tree/tree.ts';

const oldFolders = ['commit', 'provenance', 'staged', 'prompts'] as const;
const recordName = /^([0-9a-z-]{1,64})(?:\.(\d{1,3}))?$/;

interface OldRecord {
  readonly jobId: string;
  readonly overwrite: Overwrite;
  readonly files: readonly (IndexedFile & { readonly staged: string })[];
  readonly provenance: { readonly provider?: unknown; readonly model?: unknown };
}

/** Number of results that were taken over; null when there was nothing of an earlier build. */
export async function migrate(tree: Tree, index: ResultIndex, by: string): Promise<number | null> {
  const found = await readdir(tree.own.at);
  if (!oldFolders.some((name) => found.includes(name))) return null;
  const batch = new Batch(tree);
  const names = new Names(tree);
  let results = 0;
  for (const record of await newestRecords(tree)) {
    const taken = await batch.use(() => takeOver(tree, batch, names, record));
    if ((await index.find(record.jobId)) === null) await index.append({ ...taken, by });
    results++;
    // In portions, so that no more than a few folders are open.
    if (results % 100 === 0) await batch.finish();
  }
  await batch.finish();
  await index.sync();
  for (const name of oldFolders)
    await rm(`${tree.own.at}/${name}`, { recursive: true, force: true });
  return results;
}

/** Of each job that of the last generation, which has the valid names. */
async function newestRecords(tree: Tree): Promise<Iterable<OldRecord>> {
  const newest = new Map<string, { generation: number; record: OldRecord }>();
  for (const name of await readdir(`${tree.own.at}/commit`).catch(() => [])) {
    const [, jobId = '', generation = '0'] = recordName.exec(name) ?? [];
    const record = await readRecord(`${tree.own.at}/commit/${name}`, jobId);
    const known = newest.get(jobId)?.generation ?? -1;
    if (record !== null && Number(generation) > known) {
      newest.set(jobId, { generation: Number(generation), record });
    }
  }
  return [...newest.values()].map(({ record }) => record);
}

/** Null for what is damaged, or names paths outside: it is not taken over. */
async function readRecord(path: string, jobId: string): Promise<OldRecord | null> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as OldRecord;
    checkPaths(record.files.map((file) => file.path));
    return record.jobId === jobId ? record : null;
  } catch {
    return null;
  }
}

/** Gives what was still staged its name. */
async function takeOver(
  tree: Tree,
  batch: Batch,
  names: Names,
  { jobId, overwrite, files, provenance }: OldRecord,
): Promise<Omit<Indexed, 'by'>> {
  const placed: IndexedFile[] = [];
  for (const { path, sha256, bytes, staged } of files) {
    const from = `${tree.own.at}/staged/${staged}`;
    const isStaged = /^[0-9a-z.-]{1,120}$/.test(staged) && (await exists(from));
    const last = isStaged ? await nameStaged(batch, names, { from, path, overwrite }) : path;
    placed.push({ path: last, sha256, bytes });
  }
  const { provider, model } = provenance;
  return { jobId, files: placed, provider: textOf(provider), model: textOf(model) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

async function nameStaged(
  batch: Batch,
  names: Names,
  { from, path, overwrite }: { from: string; path: string; overwrite: Overwrite },
): Promise<string> {
  for (let wanted = path; ; ) {
    const { folder, name } = await batch.folderOf(wanted);
    const to = `${folder.at}/${name}`;
    try {
      await (overwrite === 'replace' ? rename(from, to) : link(from, to));
      batch.changed(folder);
      return wanted;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    if (await isSameFile(from, to)) return wanted;
    const chosen = await names.choose([path], 'number');
    chosen.release();
    wanted = chosen.paths[0] ?? wanted;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch {
    return false;
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([lstat(one), lstat(other)]);
  return left.ino === right.ino && left.dev === right.dev;
}
