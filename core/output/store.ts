/**
 * Publishing, put together: stage durably, link the commit record, roll it forward. The link is
 * the only commit point. Before it, a crash leaves orphans for the sweep; after it, anybody can
 * finish the work from what is on disk.
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
import { checkJobId, findStanding, linkRecord, type Standing } from './records.ts';
import { isUnchangedPart, removeUnchanged } from './replaced.ts';
import { type RollForward, rollForward } from './roll-forward.ts';
import { type Attempt, removeStaged, stage } from './staging.ts';
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
      return (await guarded(tree, jobId, () => findStanding(tree, jobId)))?.record ?? null;
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
        const standing = await findStanding(tree, jobId);
        if (standing === null) throw new OutputError('io', `job ${jobId} has no commit record`);
        await finish(context, standing);
      }),
    sweep: (olderThanMs) => guarded(tree, 'staging', () => sweepStaged(context, olderThanMs)),
    close: () => closeTree(tree),
  };
}

async function publish(context: RollForward, request: Request): Promise<CommitRecord> {
  const { tree, names } = context;
  checkJobId(request.jobId);
  const paths = checkPaths(request.files.map((file) => file.path));
  const before = await findStanding(tree, request.jobId);
  if (before !== null) return finish(context, before);

  if (request.replaces != null) await removeUnchanged(tree, request.replaces);
  const chosen = await names.choose(paths, request.overwrite);
  try {
    const attempt = await stage(tree, request.jobId, request.files);
    const standing = await commit(context, attempt, {
      record: recordOf(request, attempt, chosen.paths),
      signal: request.signal,
    });
    const [record] = await Promise.all([
      finish(context, standing),
      removeStaged(tree, attempt.recordFile),
    ]);
    return record;
  } finally {
    chosen.release();
  }
}

function recordOf(request: Request, attempt: Attempt, paths: readonly string[]): CommitRecord {
  return {
    version: 1,
    jobId: request.jobId,
    overwrite: request.overwrite,
    files: attempt.files.map((file, index) => ({ path: paths[index] ?? '', ...file })),
    provenance: request.provenance,
    committedAt: new Date().toISOString(),
  };
}

/** Makes the attempt the job's result, or finds the one that was first. */
async function commit(
  context: RollForward,
  attempt: Attempt,
  what: { readonly record: CommitRecord; readonly signal: AbortSignal | undefined },
): Promise<Standing> {
  const { record, signal } = what;
  try {
    await context.step('staged');
    await attempt.writeRecord(record);
    await context.step('recorded');
    await attempt.sync();
    await attempt.close();
    await context.step('synced');
    signal?.throwIfAborted();
    if (await linkRecord(context.tree, attempt.recordFile, record.jobId)) {
      return { record, generation: 0 };
    }
  } catch (error) {
    await attempt.discard();
    throw error;
  }
  const first = await findStanding(context.tree, record.jobId);
  if (first === null) throw new OutputError('io', `the commit record of ${record.jobId} vanished`);
  // A network file system may answer "exists" to a link of our own whose first answer was lost.
  const ours = first.record.files[0]?.staged === record.files[0]?.staged;
  if (!ours) await attempt.discard();
  return first;
}

/** The record may be another process's, which crashed before its name was durable: sync, then go on. */
async function finish(context: RollForward, standing: Standing): Promise<CommitRecord> {
  await context.tree.sync(context.tree.commit);
  await context.step('committed');
  return rollForward(context, standing);
}

async function guarded<T>(tree: Tree, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asOutputError(error, what, tree.root);
  }
}
