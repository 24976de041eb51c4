/** Sending checked inputs as jobs, and telling what became of each. */

import type { Agent } from '../agent/index.ts';
import {
  type Enqueued,
  type Job,
  type JobIdentity,
  type JobInfo,
  type JobQueue,
  limits,
  newJobFor,
  shortId,
} from '../queue/index.ts';
import { CliError, exitOfErrorCode } from './errors.ts';
import type { ExitName } from './exit-codes.ts';
import type { Draft } from './input/drafts.ts';
import { knownJobText } from './known-job.ts';
import { formatBytes } from './table.ts';
import type { Terminal } from './terminal.ts';

/** A job with the place that its input came from, for messages. */
export interface OutgoingJob {
  readonly job: Job;
  readonly origin: string;
}

/** An accepted job, new or known. */
export type Accepted = Extract<Enqueued, { state: unknown }>;

export interface Submission {
  readonly accepted: readonly Accepted[];
  readonly refused: number;
  /** Exit name of the first refusal, or null. */
  readonly refusal: ExitName | null;
}

/**
 * Encodes a checked input.
 * @throws CliError `invalid` when it is over the size that a job may have
 */
export function makeJob(draft: Draft, agent: Agent, identity: JobIdentity): OutgoingJob {
  const job = newJobFor(agent, { input: draft.input, source: draft.source, identity });
  if (job.body.length > limits.jobBodyBytesMax) {
    throw new CliError(
      'invalid',
      `${draft.origin === '' ? 'the input' : draft.origin} is too large for one job: ` +
        `${formatBytes(job.body.length)} as JSON, ${formatBytes(limits.jobBodyBytesMax)} are allowed`,
      ['Split it into several files.'],
    );
  }
  return { job, origin: draft.origin };
}

/**
 * Sends the jobs and tells about each: its id as the result (with `printIds`), anything unusual on
 * standard error.
 */
export async function submit(
  queue: JobQueue,
  jobs: readonly OutgoingJob[],
  terminal: Terminal,
  printIds: boolean,
): Promise<Submission> {
  const answers = await queue.enqueue(jobs.map(({ job }) => job));
  const known = await knownJobs(queue, answers);
  const accepted: Accepted[] = [];
  let refused = 0;
  let refusal: ExitName | null = null;
  for (const [index, answer] of answers.entries()) {
    const origin = jobs[index]?.origin ?? '';
    if (answer.outcome === 'refused') {
      refused++;
      refusal ??= exitOfErrorCode(answer.code);
      terminal.warn(
        `${origin === '' ? 'job' : origin} was refused: ${answer.message} (${answer.code})`,
      );
    } else {
      accepted.push(answer);
      if (printIds)
        terminal.result(terminal.json ? answerJson(answer, origin) : shortId(answer.id));
      const info = known.get(answer.id);
      if (info !== undefined) {
        terminal.note(knownJobText(info) + (jobs.length > 1 ? ` (${origin})` : ''));
      }
    }
  }
  return { accepted, refused, refusal };
}

function answerJson({ id, outcome, state }: Accepted, origin: string): string {
  return JSON.stringify({ id, shortId: shortId(id), outcome, state, origin });
}

/** Where the jobs stand that were known already, by id. */
async function knownJobs(
  queue: JobQueue,
  answers: readonly Enqueued[],
): Promise<Map<string, JobInfo>> {
  const known = answers.filter(({ outcome }) => outcome === 'exists');
  const found = await Promise.all(known.map(({ id }) => queue.inspect(id)));
  return new Map(found.flat().map(({ info }) => [info.id, info]));
}
