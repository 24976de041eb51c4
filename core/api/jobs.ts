/** Looking at jobs: one by the beginning of its id, many by queue and state, one until it ends. */

import {
  AiqError,
  describeInspected,
  describeJob,
  isIdPrefix,
  type JobDescription,
  type JobDetails,
  type JobQueue,
  limits,
} from '../job-queue/index.ts';
import { checkJobsFilter, checkSearchOptions } from './check-options.ts';
import type { JobsFilter, SearchOptions } from './contract.ts';
import { momentOf } from './job-terms.ts';

/** @throws AiqError `BAD_REQUEST` for text that begins no id, or several */
export async function findJob(
  queue: Pick<JobQueue, 'inspect'>,
  id: string,
): Promise<JobDetails | null> {
  const prefix = id.toLowerCase();
  if (prefix === '' || !isIdPrefix(prefix)) {
    throw new AiqError('BAD_REQUEST', `${JSON.stringify(id)} is not a job id`);
  }
  const [found, second] = await queue.inspect(prefix);
  if (second !== undefined) {
    throw new AiqError('BAD_REQUEST', `several jobs begin with ${id}; give more of the id`);
  }
  return found === undefined ? null : describeInspected(found);
}

/** @throws AiqError `NOT_FOUND`; the signal's reason */
export async function waitForJob(
  queue: Pick<JobQueue, 'address' | 'inspect' | 'wait'>,
  id: string,
  signal: AbortSignal | undefined,
): Promise<JobDescription> {
  signal?.throwIfAborted();
  const job = await findJob(queue, id);
  if (job === null) throw new AiqError('NOT_FOUND', `no job ${id} at ${queue.address}`);
  return describeJob(await queue.wait(job.id, signal));
}

/** @throws TypeError for a filter of the wrong kind */
export async function* listJobs(
  queue: Pick<JobQueue, 'list'>,
  filter: JobsFilter,
): AsyncGenerator<JobDescription, void, undefined> {
  checkJobsFilter(filter);
  let next: number | null = 0;
  while (next !== null) {
    const cursor: { before?: number } = next === 0 ? {} : { before: next };
    const page = await queue.list({ ...filter, ...cursor, limit: limits.listRowsMax });
    for (const info of page.jobs) yield describeJob(info);
    next = page.next;
  }
}

const microsPerUnit = 1_000_000;

/** @throws TypeError for an option of the wrong kind */
export async function* searchJobs(
  queue: Pick<JobQueue, 'search'>,
  options: SearchOptions,
): AsyncGenerator<JobDescription, void, undefined> {
  checkSearchOptions(options);
  const { code, since, until, minCost, ...conditions } = options;
  const filter = {
    ...conditions,
    errorCode: code,
    sinceMs: momentOf('since', since),
    untilMs: momentOf('until', until),
    costMicrosMin: minCost === undefined ? undefined : Math.round(minCost * microsPerUnit),
  };
  let after: string | null = '';
  while (after !== null) {
    const page = await queue.search({ ...filter, after, limit: limits.listRowsMax });
    for (const info of page.jobs) yield describeJob(info);
    after = page.next;
  }
}
