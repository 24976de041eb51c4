/** `aiq jobs cancel`, `aiq jobs retry` and `aiq dead retry`. */

import { type JobQueue, type Settled, shortId } from '../../../job-queue/index.ts';
import { exitOfErrorCode, usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { findJob } from '../../input/job-lookup.ts';
import { bulkProgress, countText } from '../../output/progress.ts';
import { findQueue } from '../../output/queue-view.ts';
import type { Session } from '../../session.ts';
import { collectJobs, type ListFilter } from './list-action.ts';

export function cancelJobs(session: Session, typed: readonly string[]): Promise<ExitName> {
  return changeEach(session, typed, {
    did: 'cancelled',
    perform: (queue, ids) => queue.cancel(ids),
  });
}

const retry: Operation = {
  did: 'queued again',
  perform: (queue, ids) => queue.retry(ids),
};

interface RetryFlags extends Pick<ListFilter, 'agent' | 'queue' | 'cause'> {
  /** All dead jobs that match the filter. */
  readonly dead?: boolean;
}

/**
 * Retries the jobs with the ids, or all dead jobs that match the filter; never all by accident.
 * @param flag spelling of the flag for all dead jobs, for messages
 */
export async function retryJobs(
  session: Session,
  typed: readonly string[],
  { dead = false, ...filter }: RetryFlags,
  flag = '--dead',
): Promise<ExitName> {
  const isFiltered = Object.keys(filter).length > 0;
  if (typed.length > 0 && (dead || isFiltered)) {
    throw usageError(
      `ids cannot be combined with ${flag}, --agent, --queue or --cause`,
      `Give ids, or ${flag} for all dead jobs.`,
    );
  }
  if (typed.length > 0) return changeEach(session, typed, retry);
  if (dead) return retryAllDead(session, filter);
  throw usageError(
    isFiltered ? `--agent, --queue and --cause require ${flag}` : 'no jobs given',
    `Give ids, or ${flag} for all dead jobs. See: aiq dead list`,
  );
}

/** A bulk operation of the broker; with `--agent`, which it does not know, jobs are listed first. */
async function retryAllDead(
  session: Session,
  filter: Pick<ListFilter, 'agent' | 'queue' | 'cause'>,
): Promise<ExitName> {
  const { agent, queue: name, cause } = filter;
  if (name !== undefined) await findQueue(session, name);
  const { terminal } = session;
  const queue = await session.queue();
  const retried =
    agent === undefined
      ? await queue.retryDead({ queue: name, errorCode: cause }, bulkProgress(terminal, retry.did))
      : await retryListed(queue, filter);
  if (terminal.json) terminal.result(JSON.stringify({ retried }));
  terminal.note(retried === 0 ? 'no dead jobs' : `${retry.did}: ${countText(retried)}`);
  return 'ok';
}

async function retryListed(queue: JobQueue, filter: ListFilter): Promise<number> {
  const jobs = await collectJobs(queue, { ...filter, state: 'dead' }, Number.POSITIVE_INFINITY);
  const answers = await queue.retry(jobs.map(({ id }) => id));
  return answers.filter(({ ok }) => ok).length;
}

interface Operation {
  /** Past participle for messages: `cancelled`, `queued again`. */
  readonly did: string;
  readonly perform: (queue: JobQueue, ids: readonly string[]) => Promise<Settled[]>;
}

/**
 * Changes the jobs with the ids and prints the id of each that was changed; the others are warnings
 * with the reason.
 * @throws CliError when an id names no job, or several; nothing was changed
 */
async function changeEach(
  session: Session,
  typed: readonly string[],
  { did, perform }: Operation,
): Promise<ExitName> {
  const { terminal } = session;
  const queue = await session.queue();
  const found = await Promise.all(typed.map((id) => findJob(queue, id)));
  const ids = [...new Set(found.map(({ info }) => info.id))];
  let refusal: ExitName | null = null;
  let changed = 0;
  for (const [index, answer] of (await perform(queue, ids)).entries()) {
    const id = ids[index] ?? '';
    if (answer.ok) changed++;
    else refusal ??= exitOfErrorCode(answer.code);
    if (terminal.json) terminal.result(JSON.stringify(answerJson(id, answer)));
    else if (answer.ok) terminal.result(shortId(id));
    else terminal.warn(`${shortId(id)} was not ${did}: ${answer.message}`);
  }
  terminal.note(`${did}: ${countText(changed)}`);
  if (refusal === null) return 'ok';
  return changed > 0 ? 'partial' : refusal;
}

function answerJson(id: string, answer: Settled): unknown {
  const { ok } = answer;
  const job = { id, shortId: shortId(id), ok };
  if (answer.ok) return { ...job, state: answer.state, error: null };
  return { ...job, state: null, error: { code: answer.code, message: answer.message } };
}
