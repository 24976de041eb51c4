/** `aiq jobs list` and `aiq dead list`: prints jobs, newest first. */

import type { JobInfo, JobQueue, JobState } from '../../../job-queue/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { parseCount } from '../../input/values.ts';
import { printDeadJobs, printJobs } from '../../output/job-view.ts';
import type { Session } from '../../session.ts';

/** Which jobs are meant; undefined: all. */
export interface ListFilter {
  readonly agent?: string;
  readonly queue?: string;
  readonly state?: JobState;
  /** Code of the last failure. */
  readonly cause?: string;
}

const listMax = 100_000;
const pageSize = 500;

export async function listJobs(
  session: Session,
  { limit, ...filter }: ListFilter & { readonly limit: string },
): Promise<ExitName> {
  const count = parseCount('--limit', limit, listMax);
  const jobs = await collectJobs(await session.queue(), filter, count);
  const print = filter.state === 'dead' ? printDeadJobs : printJobs;
  print(session.terminal, jobs);
  return 'ok';
}

/** Pages through the list until `limit` matching jobs are found; the broker filters by queue and state. */
export async function collectJobs(
  queue: JobQueue,
  { agent, cause, ...filter }: ListFilter,
  limit: number,
): Promise<JobInfo[]> {
  const matches = (info: JobInfo): boolean =>
    (agent === undefined || info.agent === agent) &&
    (cause === undefined || info.errorCode === cause);
  const isFilteredHere = agent !== undefined || cause !== undefined;
  const found: JobInfo[] = [];
  let before: number | null = null;
  do {
    const page = await queue.list({
      ...filter,
      limit: Math.min(pageSize, isFilteredHere ? pageSize : limit - found.length),
      ...(before === null ? {} : { before }),
    });
    found.push(...page.jobs.filter(matches).slice(0, limit - found.length));
    before = page.next;
  } while (before !== null && found.length < limit);
  return found;
}
