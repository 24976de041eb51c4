/** `aiq jobs list`: prints jobs, newest first. */

import {
  type JobFilter,
  type JobInfo,
  type JobQueue,
  type JobState,
} from '../../../job-queue/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { parseCount } from '../../input/values.ts';
import { printJobs } from '../../output/job-view.ts';
import type { Session } from '../../session.ts';

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
