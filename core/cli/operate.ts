/** Doing one thing to several jobs: all ids are found first, then changed, and each answer told. */

import { type JobQueue, type Settled, shortId } from '../job-queue/index.ts';
import { exitOfErrorCode } from './errors.ts';
import type { ExitName } from './exit-codes.ts';
import { findJob } from './job-lookup.ts';
import type { Session } from './session.ts';

/** A verb in the forms that messages need. */
export interface Operation {
  /** `cancelled`, `queued again`. */
  readonly did: string;
  readonly perform: (queue: JobQueue, ids: readonly string[]) => Promise<Settled[]>;
}

/**
 * Whole ids for what was typed, each once.
 * @throws CliError for the first that names no job, or several; nothing was changed
 */
export async function findIds(queue: JobQueue, typed: readonly string[]): Promise<string[]> {
  const found = await Promise.all(typed.map((id) => findJob(queue, id)));
  return [...new Set(found.map(({ info }) => info.id))];
}

/** Prints the id of each job that was changed; those that were not are told with the reason. */
export async function operate(
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
