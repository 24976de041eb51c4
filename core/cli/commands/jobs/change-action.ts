/** `aiq jobs cancel | retry` and `aiq dead list | retry`. */

import {
  describeJob,
  type JobInfo,
  type JobQueue,
  type Settled,
  shortId,
} from '../../../job-queue/index.ts';
import { exitOfErrorCode, usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { findJob } from '../../input/job-lookup.ts';
import { parseCount } from '../../input/values.ts';
import { formatAge, formatTable } from '../../output/format.ts';
import { bulkProgress, countText } from '../../output/progress.ts';
import { findQueue } from '../../output/queue-view.ts';
import { outputWidth } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

const cancel: Operation = {
  did: 'cancelled',
  perform: (queue, ids) => queue.cancel(ids),
};

const retry: Operation = {
  did: 'queued again',
  perform: (queue, ids) => queue.retry(ids),
};

export async function cancelJobs(session: Session, typed: readonly string[]): Promise<ExitName> {
  return operate(session, await findIds(await session.queue(), typed), cancel);
}

export interface RetryFlags {
  readonly dead?: boolean;
  readonly queue?: string;
  readonly cause?: string;
}

/** Ids, or all dead jobs that fit, which the broker finds itself. */
export async function retryJobs(
  session: Session,
  typed: readonly string[],
  flags: RetryFlags = {},
): Promise<ExitName> {
  if (flags.dead === true) return retryAllDead(session, typed, flags);
  if (flags.queue !== undefined || flags.cause !== undefined) {
    throw usageError('--queue and --cause need --dead', 'They say which dead jobs are meant.');
  }
  if (typed.length === 0) {
    throw usageError('which jobs?', 'Give their ids, or --dead for all dead ones.');
  }
  return operate(session, await findIds(await session.queue(), typed), retry);
}

async function retryAllDead(
  session: Session,
  typed: readonly string[],
  { queue, cause }: RetryFlags,
): Promise<ExitName> {
  if (typed.length > 0) {
    throw usageError('ids and --dead contradict each other', 'Give ids, or --dead.');
  }
  if (queue !== undefined) await findQueue(session, queue);
  const { terminal } = session;
  const filter = { queue, errorCode: cause };
  const progress = bulkProgress(terminal, retry.did);
  const retried = await (await session.queue()).retryDead(filter, progress);
  if (terminal.json) terminal.result(JSON.stringify({ retried }));
  terminal.note(`${retry.did}: ${countText(retried)}`);
  return 'ok';
}

/** Which dead jobs are meant. */
export interface DeadFlags {
  readonly agent?: string;
  readonly queue?: string;
  readonly cause?: string;
}

const listMax = 100_000;
const pageSize = 1_000;

/** All dead jobs that fit, newest first, as many as are wanted. */
async function deadJobs(queue: JobQueue, flags: DeadFlags, limit: number): Promise<JobInfo[]> {
  const fits = ({ agent, errorCode }: JobInfo): boolean =>
    (flags.agent === undefined || agent === flags.agent) &&
    (flags.cause === undefined || errorCode === flags.cause);
  const filter = { state: 'dead', limit: pageSize, ...onlyQueue(flags) } as const;
  const found: JobInfo[] = [];
  let before: number | null = null;
  do {
    const page = await queue.list(before === null ? filter : { ...filter, before });
    found.push(...page.jobs.filter(fits));
    before = page.next;
  } while (before !== null && found.length < limit);
  return found.slice(0, limit);
}

function onlyQueue({ queue }: DeadFlags): { queue?: string } {
  return queue === undefined ? {} : { queue };
}

const deadHeading = ['ID', 'AGENT', 'CAUSE', 'FAILED', 'AGE', 'SOURCE', 'MESSAGE'] as const;

export async function listDead(
  session: Session,
  flags: DeadFlags & { readonly limit: string },
): Promise<ExitName> {
  const limit = parseCount('--limit', flags.limit, listMax);
  const jobs = await deadJobs(await session.queue(), flags, limit);
  const { terminal } = session;
  if (terminal.json) {
    for (const info of jobs) terminal.result(JSON.stringify(describeJob(info)));
    return 'ok';
  }
  if (jobs.length === 0) {
    terminal.note('no dead jobs');
    return 'ok';
  }
  const now = Date.now();
  const width = outputWidth();
  const rows = jobs.map((info) => deadRow(info, now));
  for (const line of formatTable(deadHeading, rows, width)) terminal.result(line);
  terminal.hint('Again, once the cause is gone: aiq dead retry <id>, or --cause <code>, or --all');
  return 'ok';
}

function deadRow(info: JobInfo, nowMs: number): string[] {
  return [
    shortId(info.id),
    info.agent,
    info.errorCode === '' ? '-' : info.errorCode,
    `${info.attempts}/${info.attemptsMax}`,
    formatAge(nowMs - info.changedAtMs),
    info.source === '' ? '-' : info.source,
    info.errorMessage === '' ? '-' : info.errorMessage,
  ];
}

/** Ids, or all that fit the filters: never both, and never all by accident. */
export async function retryDead(
  session: Session,
  typed: readonly string[],
  flags: DeadFlags & { readonly all?: boolean },
): Promise<ExitName> {
  const isFiltered = flags.all === true || flags.cause !== undefined;
  if (typed.length > 0 && (isFiltered || flags.agent !== undefined || flags.queue !== undefined)) {
    throw usageError('ids and filters contradict each other', 'Give ids, or --cause, or --all.');
  }
  if (typed.length > 0) return retryJobs(session, typed);
  if (!isFiltered) {
    throw usageError(
      'which dead jobs?',
      'Give their ids, --cause <code>, or --all; --agent and --queue narrow both down.',
      'See: aiq dead list',
    );
  }
  const jobs = await deadJobs(await session.queue(), flags, Number.POSITIVE_INFINITY);
  if (jobs.length === 0) {
    session.terminal.note('no dead jobs');
    return 'ok';
  }
  return operate(
    session,
    jobs.map(({ id }) => id),
    retry,
  );
}

/** A verb in the forms that messages need. */
interface Operation {
  /** `cancelled`, `queued again`. */
  readonly did: string;
  readonly perform: (queue: JobQueue, ids: readonly string[]) => Promise<Settled[]>;
}

/**
 * Whole ids for what was typed, each once.
 * @throws CliError for the first that names no job, or several; nothing was changed
 */
async function findIds(queue: JobQueue, typed: readonly string[]): Promise<string[]> {
  const found = await Promise.all(typed.map((id) => findJob(queue, id)));
  return [...new Set(found.map(({ info }) => info.id))];
}

/** Prints the id of each job that was changed; those that were not are told with the reason. */
async function operate(
  session: Session,
  ids: readonly string[],
  { did, perform }: Operation,
): Promise<ExitName> {
  const { terminal } = session;
  const answers = await perform(await session.queue(), ids);
  let refusal: ExitName | null = null;
  let changed = 0;
  for (const [index, answer] of answers.entries()) {
    const id = ids[index] ?? '';
    if (answer.ok) changed++;
    else refusal ??= exitOfErrorCode(answer.code);
    if (terminal.json) terminal.result(JSON.stringify(answerJson(id, answer)));
    else if (answer.ok) terminal.result(shortId(id));
    else terminal.warn(`${shortId(id)} is not ${did}: ${answer.message}`);
  }
  terminal.note(`${did}: ${changed === 1 ? '1 job' : `${changed} jobs`}`);
  if (refusal === null) return 'ok';
  return changed > 0 ? 'partial' : refusal;
}

function answerJson(id: string, answer: Settled): unknown {
  const { ok } = answer;
  const job = { id, shortId: shortId(id), ok };
  if (answer.ok) return { ...job, state: answer.state, error: null };
  return { ...job, state: null, error: { code: answer.code, message: answer.message } };
}
