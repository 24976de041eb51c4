/** Looking at jobs: one by the beginning of its id, many by queue and state, one until it ends. */

import {
  AiqError,
  describeJob,
  isIdPrefix,
  type JobDescription,
  type JobQueue,
  limits,
} from '../queue/index.ts';
import { checkJobsFilter } from './check-options.ts';
import type { JobsFilter } from './contract.ts';

/** @throws AiqError `BAD_REQUEST` for text that begins no id, or several */
export async function findJob(
  queue: Pick<JobQueue, 'inspect'>,
  id: string,
): Promise<JobDescription | null> {
  const prefix = id.toLowerCase();
  if (prefix === '' || !isIdPrefix(prefix)) {
    throw new AiqError('BAD_REQUEST', `${JSON.stringify(id)} is not a job id`);
  }
  const [found, second] = await queue.inspect(prefix);
  if (second !== undefined) {
    throw new AiqError('BAD_REQUEST', `several jobs begin with ${id}; give more of the id`);
  }
  return found === undefined ? null : describeJob(found.info);
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
