/**
 * From a commit record to visible files. Every step may be repeated, interrupted, and done by
 * several processes at once: a file is placed by linking (or, to replace, renaming) its staged
 * inode, so "is it done?" always has an answer on disk.
 */

import { link, lstat, rename } from 'node:fs/promises';
import { inChunks } from './chunks.ts';
import { errorCode, withParent } from './directory.ts';
import { type Names, nameTaken } from './names.ts';
import { type CommitRecord, OutputError, type PublishStep } from './output.ts';
import { findStanding, generationsMax, linkRecord, recordName, type Standing } from './records.ts';
import { removeStaged, stage } from './staging.ts';
import type { Tree } from './tree.ts';

type RecordFile = CommitRecord['files'][number];

export interface RollForward {
  readonly tree: Tree;
  readonly names: Names;
  readonly step: (step: PublishStep) => Promise<void>;
}

/**
 * Places all files of the standing record, links the provenance record and clears staging.
 * Resolves with the record that stood in the end.
 * @throws OutputError `exists` when a name is taken and the policy is `error`: the result stays in
 *   staging, complete, and a later roll forward can finish it
 */
export async function rollForward(context: RollForward, from: Standing): Promise<CommitRecord> {
  let standing = from;
  let placed = await placeAll(context, standing.record);
  while (placed.blocked.length > 0) {
    standing = await renameBlocked(context, standing, placed.blocked);
    placed = await placeAll(context, standing.record);
  }
  // Whoever finished a file before us may have given it a newer name than we know of.
  if (placed.foreign) standing = (await findStanding(context.tree, from.record.jobId)) ?? standing;
  await context.step('placed');
  await prove(context.tree, standing);
  await context.step('proven');
  const { files } = standing.record;
  await inChunks(files, (file) => removeStaged(context.tree, file.staged));
  await context.step('cleaned');
  return standing.record;
}

interface Placed {
  /** Files whose name belongs to somebody else. */
  readonly blocked: readonly RecordFile[];
  /** True when another process had finished one of the files already. */
  readonly foreign: boolean;
}

async function placeAll(context: RollForward, record: CommitRecord): Promise<Placed> {
  const { tree } = context;
  const results = await inChunks(record.files, (file) =>
    withParent(tree.root, file.path, {
      onWay: tree.keep,
      use: async (parent, name) => {
        const target = `${parent.at}/${name}`;
        const result = await place(tree, file, { target, overwrite: record.overwrite });
        // Also when another process placed it: it may not have come as far as the sync.
        if (result !== 'blocked') await tree.sync(parent);
        return result;
      },
    }),
  );
  return {
    blocked: record.files.filter((_, index) => results[index] === 'blocked'),
    foreign: results.includes('gone'),
  };
}

/**
 * Gives a staged file its final name. `gone`: somebody had finished it, for a staged file
 * disappears only after it was placed for good. `blocked`: the name is not ours.
 */
async function place(
  tree: Tree,
  file: RecordFile,
  to: { readonly target: string; readonly overwrite: CommitRecord['overwrite'] },
): Promise<'placed' | 'gone' | 'blocked'> {
  const staged = `${tree.staged.at}/${file.staged}`;
  try {
    await (to.overwrite === 'replace' ? rename(staged, to.target) : link(staged, to.target));
    return 'placed';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EISDIR') throw nameTaken(tree, file.path);
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
    const mine = await inodeOf(staged);
    if (mine === null) return 'gone';
    if (code === 'ENOENT') throw error;
    return mine === (await inodeOf(to.target)) ? 'placed' : 'blocked';
  }
}

async function inodeOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await lstat(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * The names were taken after the record had chosen them. A successor names others; if somebody
 * else wrote one first, that one holds.
 */
async function renameBlocked(
  context: RollForward,
  standing: Standing,
  blocked: readonly RecordFile[],
): Promise<Standing> {
  const { tree, names } = context;
  const { record, generation } = standing;
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
  return (await findStanding(tree, record.jobId)) ?? standing;
}

/** Links the standing record as the provenance record: all files are there, for good. */
async function prove(tree: Tree, { record, generation }: Standing): Promise<void> {
  const from = `${tree.commit.at}/${recordName(record.jobId, generation)}`;
  try {
    await link(from, `${tree.provenance.at}/${record.jobId}.json`);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  await tree.sync(tree.provenance);
}
