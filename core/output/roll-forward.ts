/**
 * Rolls a commit record forward: links its staged files under their final names. Idempotent, and safe
 * in several processes at once: a file is published by linking (or, to replace, renaming) its staged
 * inode, so the disk shows what is done.
 */

import { link, lstat, rename } from 'node:fs/promises';
import { codeOf, hasCode } from '../base/index.ts';
import { inChunks } from './chunks.ts';
import { withParent } from './directory.ts';
import { type Names, nameTaken } from './names.ts';
import { type CommitRecord, OutputError, type PublishStep } from './output.ts';
import {
  findNewestRecord,
  generationsMax,
  linkRecord,
  type NewestRecord,
  recordName,
} from './records.ts';
import { removeStaged, stage } from './staging.ts';
import type { Tree } from './tree.ts';

type RecordFile = CommitRecord['files'][number];

export interface RollForward {
  readonly tree: Tree;
  readonly names: Names;
  readonly step: (step: PublishStep) => Promise<void>;
}

/**
 * Publishes all files of the newest record, links the provenance record and clears staging. Resolves
 * with the record that is valid in the end.
 * @throws OutputError `exists` when a name is taken and the policy is `error`: the result stays in
 *   staging, complete, and a later roll forward can finish it
 */
export async function rollForward(context: RollForward, from: NewestRecord): Promise<CommitRecord> {
  let newest = from;
  let placed = await publishFiles(context, newest.record);
  while (placed.blocked.length > 0) {
    newest = await renameBlocked(context, newest, placed.blocked);
    placed = await publishFiles(context, newest.record);
  }
  // The process that published a file before us may have written a successor.
  if (placed.foreign) newest = (await findNewestRecord(context.tree, from.record.jobId)) ?? newest;
  await context.step('placed');
  await linkProvenance(context.tree, newest);
  await context.step('proven');
  const { files } = newest.record;
  await inChunks(files, (file) => removeStaged(context.tree, file.staged));
  await context.step('cleaned');
  return newest.record;
}

interface PublishedFiles {
  /** Files whose name another program took. */
  readonly blocked: readonly RecordFile[];
  /** True when another process had finished one of the files already. */
  readonly foreign: boolean;
}

async function publishFiles(context: RollForward, record: CommitRecord): Promise<PublishedFiles> {
  const { tree } = context;
  const results = await inChunks(record.files, (file) =>
    withParent(tree.root, file.path, {
      onWay: tree.keep,
      use: async (parent, name) => {
        const target = `${parent.at}/${name}`;
        const result = await publishFile(tree, file, { target, overwrite: record.overwrite });
        // Also when another process published it: it may not have reached the sync.
        if (result !== 'blocked') await tree.sync(parent);
        return result;
      },
    }),
  );
  return {
    blocked: record.files.filter((_, index) => results[index] === 'blocked'),
    foreign: results.includes('missing'),
  };
}

/**
 * Gives a staged file its final name. `missing`: another process had published it, as a staged file is
 * removed only after that. `blocked`: the name is taken.
 */
async function publishFile(
  tree: Tree,
  file: RecordFile,
  to: { readonly target: string; readonly overwrite: CommitRecord['overwrite'] },
): Promise<'placed' | 'missing' | 'blocked'> {
  const staged = `${tree.staged.at}/${file.staged}`;
  try {
    await (to.overwrite === 'replace' ? rename(staged, to.target) : link(staged, to.target));
    return 'placed';
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EISDIR') throw nameTaken(tree, file.path);
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
    const mine = await inodeOf(staged);
    if (mine === null) return 'missing';
    if (code === 'ENOENT') throw error;
    return mine === (await inodeOf(to.target)) ? 'placed' : 'blocked';
  }
}

async function inodeOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await lstat(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/**
 * Writes a successor with other names for files whose names were taken after the record had chosen
 * them; if another process wrote one first, that one is valid.
 */
async function renameBlocked(
  context: RollForward,
  newest: NewestRecord,
  blocked: readonly RecordFile[],
): Promise<NewestRecord> {
  const { tree, names } = context;
  const { record, generation } = newest;
  const first = blocked[0];
  if (first !== undefined && record.overwrite === 'error') throw nameTaken(tree, first.path);
  if (generation >= generationsMax) {
    throw new OutputError('io', `the names of job ${record.jobId} were taken again and again`);
  }
  const chosen = await names.choose(
    blocked.map((file) => file.path),
    record.overwrite,
  );
  const attempt = await stage(tree, record.jobId, []);
  try {
    const renamed = new Map(blocked.map((file, index) => [file, chosen.paths[index]]));
    const next: CommitRecord = {
      ...record,
      files: record.files.map((file) => ({ ...file, path: renamed.get(file) ?? file.path })),
    };
    await attempt.writeRecord(next);
    await attempt.sync();
    const name = recordName(record.jobId, generation + 1);
    await linkRecord(tree, attempt.recordFile, name);
    await tree.sync(tree.commit);
  } finally {
    chosen.release();
    await attempt.discard();
  }
  return (await findNewestRecord(tree, record.jobId)) ?? newest;
}

/** Links the newest record as the provenance record, which says that all files are published. */
async function linkProvenance(tree: Tree, { record, generation }: NewestRecord): Promise<void> {
  const from = `${tree.commit.at}/${recordName(record.jobId, generation)}`;
  try {
    await link(from, `${tree.provenance.at}/${record.jobId}.json`);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  await tree.sync(tree.provenance);
}
