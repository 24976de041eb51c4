/** `aiq jobs list | show | wait`. */

import {
  describeInspected,
  type JobFilter,
  type JobInfo,
  type JobQueue,
  type JobState,
  shortId,
} from '../../job-queue/index.ts';
import type { ExitName } from '../exit-codes.ts';
import { parseCount, readDuration } from '../input/values.ts';
import { findJob } from '../job-lookup.ts';
import { failureOf, formatJobDetails, printJobs } from '../job-view.ts';
import type { Session } from '../session.ts';
import { exitOfFinished, printFinished, reportFinished, waitForJobs } from '../wait.ts';

interface ListFlags {
  readonly agent?: string;
  readonly queue?: string;
  readonly state?: JobState;
  readonly limit: string;
}

const listMax = 100_000;
const pageSize = 500;

export async function listJobs(session: Session, flags: ListFlags): Promise<ExitName> {
  const limit = parseCount('--limit', flags.limit, listMax);
  const filter = {
    ...(flags.queue === undefined ? {} : { queue: flags.queue }),
    ...(flags.state === undefined ? {} : { state: flags.state }),
  };
  const jobs = await collectJobs(await session.queue(), filter, { limit, agent: flags.agent });
  printJobs(session.terminal, jobs);
  return 'ok';
}

/** Pages through the list until enough jobs of the agent are found. */
async function collectJobs(
  queue: JobQueue,
  filter: JobFilter,
  want: { readonly limit: number; readonly agent: string | undefined },
): Promise<JobInfo[]> {
  const found: JobInfo[] = [];
  let before: number | null = null;
  do {
    const page = await queue.list({
      ...filter,
      limit: Math.min(pageSize, want.agent === undefined ? want.limit - found.length : pageSize),
      ...(before === null ? {} : { before }),
    });
    const matching = page.jobs.filter(
      ({ agent }) => want.agent === undefined || agent === want.agent,
    );
    found.push(...matching.slice(0, want.limit - found.length));
    before = page.next;
  } while (before !== null && found.length < want.limit);
  return found;
}

export async function showJob(session: Session, id: string): Promise<ExitName> {
  const found = await findJob(await session.queue(), id);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify(describeInspected(found), null, 2));
  else for (const line of formatJobDetails(found, Date.now())) terminal.result(line);
  return 'ok';
}

export async function waitJobs(
  session: Session,
  ids: readonly string[],
  flags: { readonly timeout?: string },
): Promise<ExitName> {
  const timeoutMs = flags.timeout === undefined ? null : readDuration('--timeout', flags.timeout);
  const queue = await session.queue();
  const found = await Promise.all(ids.map((id) => findJob(queue, id)));
  for (const { info } of found) {
    if (info.state !== 'parked' || info.errorCode === '') continue;
    session.terminal.warn(`${shortId(info.id)} waits: ${failureOf(info)}`);
  }
  const finished = await waitForJobs(
    queue,
    found.map(({ info }) => info.id),
    { timeoutMs, onFinished: (info) => reportFinished(session.terminal, info) },
  );
  printFinished(session.terminal, finished);
  return exitOfFinished(finished);
}
