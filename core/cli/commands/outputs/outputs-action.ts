/** `aiq outputs`: what is not written yet, and files written again. */

import { join, relative } from 'node:path';
import {
  type JobInfo,
  type JobQueue,
  limits,
  readNote,
  shortId,
  type UnwrittenPage,
} from '../../../job-queue/index.ts';
import { OutputFolder } from '../../../output/index.ts';
import { usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { findJob } from '../../input/job-lookup.ts';
import { unwrittenText } from '../../output/extract-text.ts';
import { pathFromHere } from '../../output/format.ts';
import type { Session } from '../../session.ts';

/** Prints each job whose files are not in their folder. */
export async function listUnwritten(session: Session): Promise<ExitName> {
  const { terminal } = session;
  const queue = await session.queue();
  let count = 0;
  for await (const { id, dir } of unwrittenJobs(queue)) {
    const [found] = await queue.inspect(id);
    if (found === undefined) continue;
    count++;
    const { notWritten = null } = readNote(found.info.note);
    const text = `${shortId(id)}  ${pathFromHere(dir)}  ${unwrittenText(found.info)}`;
    terminal.result(terminal.json ? JSON.stringify({ id, dir, notWritten }) : text);
  }
  if (count === 0) terminal.note('nothing is to be written');
  else terminal.hint('A consumer writes them: aiq run --until-empty');
  return 'ok';
}

async function* unwrittenJobs(
  queue: JobQueue,
): AsyncGenerator<{ readonly id: string; readonly dir: string }> {
  for (const { dir } of await queue.unwrittenFolders()) {
    for (let after: number | null = 0; after !== null; ) {
      const page: UnwrittenPage = await queue.unwritten(dir, after);
      for (const { id } of page.jobs) yield { id, dir };
      after = page.next;
    }
  }
}

interface RestoreFlags {
  readonly all?: boolean;
  readonly force?: boolean;
}

/** Files by what became of them. */
interface Counts {
  restored: number;
  kept: number;
  changed: number;
}

/**
 * Writes the files of jobs again that are missing. One that was changed stays, unless `--force`.
 * @throws CliError `usage`
 */
export async function restoreOutputs(
  session: Session,
  typed: readonly string[],
  flags: RestoreFlags,
): Promise<ExitName> {
  if ((flags.all === true) === typed.length > 0) {
    throw usageError('name jobs or give --all', 'Example: aiq outputs restore --all');
  }
  const queue = await session.queue();
  const folders = new Map<string, OutputFolder>();
  const counts: Counts = { restored: 0, kept: 0, changed: 0 };
  try {
    const jobs = flags.all === true ? doneJobs(queue) : namedJobs(queue, typed);
    for await (const info of jobs) await restoreJob(session, folders, { info, flags, counts });
    for (const folder of folders.values()) await folder.sync();
  } finally {
    for (const folder of folders.values()) await folder.close();
  }
  const { restored, kept, changed } = counts;
  const fix = changed > 0 ? `, ${changed} changed since (--force replaces them)` : '';
  session.terminal.note(`${restored} restored, ${kept} in place${fix}`);
  return 'ok';
}

async function* namedJobs(queue: JobQueue, typed: readonly string[]): AsyncGenerator<JobInfo> {
  for (const id of typed) yield (await findJob(queue, id)).info;
}

async function* doneJobs(queue: JobQueue): AsyncGenerator<JobInfo> {
  for (let before: number | null = 0; before !== null; ) {
    const cursor: { before?: number } = before === 0 ? {} : { before };
    const limit = limits.listRowsMax;
    const page: Awaited<ReturnType<JobQueue['list']>> = await queue.list({
      state: 'done',
      limit,
      ...cursor,
    });
    yield* page.jobs;
    before = page.next;
  }
}

async function restoreJob(
  session: Session,
  folders: Map<string, OutputFolder>,
  { info, flags, counts }: { info: JobInfo; flags: RestoreFlags; counts: Counts },
): Promise<void> {
  const { terminal } = session;
  const kept = info.output === 'none' ? null : await (await session.queue()).output(info.id);
  if (kept === null) {
    if (flags.all !== true) terminal.warn(`the broker has no files of ${shortId(info.id)}`);
    return;
  }
  const folder = folders.get(kept.dir) ?? (await OutputFolder.open(kept.dir));
  folders.set(kept.dir, folder);
  const names = readNote(info.note).files;
  for (const [at, file] of kept.files.entries()) {
    // As it was named in the end.
    const name = names[at];
    const path = name === undefined ? file.path : relative(kept.dir, name);
    const content = await file.content();
    const found = await folder.restore(info.id, { path, content }, flags.force ?? false);
    const shown = pathFromHere(join(kept.dir, path));
    const isRestored = found === 'missing' || (flags.force === true && found !== 'same');
    if (found === 'same') counts.kept++;
    else if (isRestored && found !== 'folder') {
      counts.restored++;
      terminal.result(terminal.json ? JSON.stringify({ id: info.id, path: shown }) : shown);
    } else {
      counts.changed++;
      terminal.warn(`${shown} was changed since and stays as it is`);
    }
  }
}
