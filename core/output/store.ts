/**
 * Publishes results: stages the files durably, links the commit record, rolls it forward. The link is
 * the commit point. A crash before it leaves files that the sweep removes; after it, any process can
 * finish the publication from the disk.
 */

import { asOutputError } from './directory.ts';
import { checkFree, createNames } from './names.ts';
import {
  type CommitRecord,
  OutputError,
  type OutputOptions,
  type OutputStore,
  type PublishRequest,
} from './output.ts';
import { checkPath, checkPaths } from './paths.ts';
import { checkJobId, findNewestRecord, linkRecord, type NewestRecord } from './records.ts';
import { isUnchangedPart, removeUnchanged } from './replaced.ts';
import { type RollForward, rollForward } from './roll-forward.ts';
import { removeStaged, type StagedResult, stage } from './staging.ts';
import { sweepStaged } from './sweep.ts';
import { closeTree, openTree, type Tree } from './tree.ts';

type Request = Omit<PublishRequest, 'root'>;

/**
 * Opens an output root and makes it when it is missing.
 * @throws OutputError `io`, also when the file system has no hard links
 */
export async function openOutput(root: string, options: OutputOptions = {}): Promise<OutputStore> {
  const tree = await openTree(root);
  const context: RollForward = {
    tree,
    names: createNames(tree),
    step: async (step) => options.onStep?.(step),
  };
  return {
    async find(jobId) {
      return (await guarded(tree, jobId, () => findNewestRecord(tree, jobId)))?.record ?? null;
    },
    async check(path, overwrite, replaces = null) {
      const normal = checkPath(path);
      await guarded(tree, normal, async () => {
        if (await isUnchangedPart(tree, replaces, normal)) return;
        await checkFree(tree, normal, overwrite);
      });
    },
    publish: (request) => guarded(tree, request.jobId, () => publish(context, request)),
    rollForward: ({ jobId }) =>
      guarded(tree, jobId, async () => {
        const newest = await findNewestRecord(tree, jobId);
        if (newest === null) throw new OutputError('io', `job ${jobId} has no commit record`);
        await finish(context, newest);
      }),
    sweep: (olderThanMs) => guarded(tree, 'staging', () => sweepStaged(context, olderThanMs)),
    close: () => closeTree(tree),
  };
}

async function publish(context: RollForward, request: Request): Promise<CommitRecord> {
  const { tree, names } = context;
  checkJobId(request.jobId);
  const paths = checkPaths(request.files.map((file) => file.path));
  const before = await findNewestRecord(tree, request.jobId);
  if (before !== null) return finish(context, before);

  if (request.replaces != null) await removeUnchanged(tree, request.replaces);
  const chosen = await names.choose(paths, request.overwrite);
  try {
    const staged = await stage(tree, request.jobId, request.files);
    const newest = await commitStaged(context, staged, {
      record: recordOf(request, staged, chosen.paths),
      signal: request.signal,
    });
    const [record] = await Promise.all([
      finish(context, newest),
      removeStaged(tree, staged.recordFile),
    ]);
    return record;
  } finally {
    chosen.release();
  }
}

function recordOf(request: Request, staged: StagedResult, paths: readonly string[]): CommitRecord {
  return {
    version: 1,
    jobId: request.jobId,
    overwrite: request.overwrite,
    files: staged.files.map((file, index) => ({ path: paths[index] ?? '', ...file })),
    provenance: request.provenance,
    committedAt: new Date().toISOString(),
  };
}

/** Links the commit record of what was staged; returns the record that was first. */
async function commitStaged(
  context: RollForward,
  staged: StagedResult,
  what: { readonly record: CommitRecord; readonly signal: AbortSignal | undefined },
): Promise<NewestRecord> {
  const { record, signal } = what;
  try {
    await context.step('staged');
    await staged.writeRecord(record);
    await context.step('recorded');
    await staged.sync();
    await staged.close();
    await context.step('synced');
    signal?.throwIfAborted();
    if (await linkRecord(context.tree, staged.recordFile, record.jobId)) {
      return { record, generation: 0 };
    }
  } catch (error) {
    await staged.discard();
    throw error;
  }
  const first = await findNewestRecord(context.tree, record.jobId);
  if (first === null) throw new OutputError('io', `the commit record of ${record.jobId} vanished`);
  // A network file system may answer "exists" to a link of our own whose first answer was lost.
  const ours = first.record.files[0]?.staged === record.files[0]?.staged;
  if (!ours) await staged.discard();
  return first;
}

/** Syncs first: the process that linked the record may have crashed before its name was durable. */
async function finish(context: RollForward, newest: NewestRecord): Promise<CommitRecord> {
  await context.tree.sync(context.tree.commit);
  await context.step('committed');
  return rollForward(context, newest);
}

async function guarded<T>(tree: Tree, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asOutputError(error, what, tree.root);
  }
}
