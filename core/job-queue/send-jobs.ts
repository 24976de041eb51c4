/**
 * Enqueueing what may be known already. Done counts for the definition that made a result, and an
 * extract of the offline endpoint counts as done only as long as there is no real provider.
 */

import type { Job, JobInfo } from '../protocol/index.ts';
import { isExtract } from './describe-job.ts';
import { jobAfter } from './new-job.ts';
import type { Enqueued, JobQueue } from './port.ts';
import { supersededBy } from './superseded.ts';

/** The provider that would do the agent's jobs now; null where that would be the offline endpoint. */
export type ChosenProvider = () => Promise<{
  readonly name: string;
  readonly model: string;
} | null>;

/** What jobs are sent to. Where jobs cannot be inspected, every job that is known counts. */
export type Sender = Pick<JobQueue, 'enqueue'> & Partial<Pick<JobQueue, 'inspect'>>;

export interface Sent {
  readonly answers: readonly Enqueued[];
  readonly known: ReadonlyMap<string, JobInfo>;
  /** How many of them follow on an extract, and the provider that does them for real. */
  readonly again: { readonly jobs: number; readonly provider: string };
}

/**
 * Enqueues the jobs; in the place of each that is done as an extract, though there is a real provider
 * now, or was superseded, comes the one that follows on it.
 */
export async function sendJobs(
  queue: Sender,
  jobs: readonly Job[],
  chosen: ChosenProvider,
): Promise<Sent> {
  const answers = await queue.enqueue(jobs);
  const known = await knownJobs(queue, answers);
  const latest = [...jobs];
  let again = { jobs: 0, provider: '' };
  for (;;) {
    const infos = answers.map(({ id }) => known.get(id));
    const areExtracts = infos.map((info) => info !== undefined && isExtract(info));
    const provider = areExtracts.includes(true) ? await chosen() : null;
    const outdated = infos.flatMap((info, index) => {
      const isOutdatedExtract = areExtracts[index] === true && provider !== null;
      return isOutdatedExtract || (info !== undefined && supersededBy(info) !== null)
        ? [index]
        : [];
    });
    if (outdated.length === 0) return { answers, known, again };
    const next = outdated.flatMap((index) => latest[index] ?? []).map(jobAfter);
    const news = await queue.enqueue(next);
    for (const [id, info] of await knownJobs(queue, news)) known.set(id, info);
    for (const [at, index] of outdated.entries()) {
      const [job, answer] = [next[at], news[at]];
      if (job === undefined || answer === undefined) continue;
      latest[index] = job;
      answers[index] = answer;
      const isReal = areExtracts[index] === true && answer.outcome === 'created';
      if (isReal) again = { jobs: again.jobs + 1, provider: provider?.name ?? '' };
    }
  }
}

/** Of the jobs that were known already, or whose ids others have: their states, by id. */
async function knownJobs(
  { inspect }: Sender,
  answers: readonly Enqueued[],
): Promise<Map<string, JobInfo>> {
  const known = answers.filter(
    (answer) =>
      answer.outcome === 'exists' || (answer.outcome === 'refused' && answer.code === 'CONFLICT'),
  );
  const found = await Promise.all(known.map(async ({ id }) => (await inspect?.(id)) ?? []));
  return new Map(found.flat().map(({ info }) => [info.id, info]));
}
