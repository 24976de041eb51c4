/** Sends checked inputs as jobs and prints what became of each. */

import type { Agent } from '../../../agent/index.ts';
import {
  type ChosenProvider,
  type Enqueued,
  type Job,
  type JobIdentity,
  type JobInfo,
  type JobQueue,
  type JobTerms,
  limits,
  newJobFor,
  type Place,
  type Sent,
  sendJobs,
  shortId,
} from '../../../job-queue/index.ts';
import { CliError, exitOfErrorCode } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { Draft } from '../../input/drafts.ts';
import { formatBytes } from '../../output/format.ts';
import type { Terminal } from '../../output/terminal.ts';
import { existingJobText } from './existing-job.ts';

/** A job with the file that its input came from, for messages. */
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

/** Identity and terms of a job. */
export interface JobSpec {
  readonly identity: JobIdentity;
  readonly terms: JobTerms;
  /** The folder that it is enqueued from. */
  readonly madeIn: Place;
}

/**
 * Encodes a checked input.
 * @throws CliError `invalid` when it is over the size that a job may have
 */
export function makeJob(draft: Draft, agent: Agent, spec: JobSpec): OutgoingJob {
  const { identity, terms, madeIn } = spec;
  const { input, source } = draft;
  const job = newJobFor(agent, { ...terms, input, source, identity, madeIn });
  if (job.body.length > limits.blobBytesMax) {
    throw new CliError(
      'invalid',
      `${draft.origin === '' ? 'the input' : draft.origin} is too large for one job: ` +
        `${formatBytes(job.body.length)} as JSON; the limit is ${formatBytes(limits.blobBytesMax)}`,
      ['Split it into several files.'],
    );
  }
  return { job, origin: draft.origin };
}

export interface SubmitOptions {
  readonly terminal: Terminal;
  /** Print the id of each job as the result. */
  readonly printIds: boolean;
  /** Origins of the jobs of this command, by id: filled here, shared by its batches. */
  readonly origins: Map<string, string>;
  /** The provider that would run the jobs now. */
  readonly provider: ChosenProvider;
  /** The model that would run them now; null if unknown. */
  readonly presentModel: () => Promise<string | null>;
  /** Called for each job that the broker refused; may throw. */
  readonly onRefused: (error: CliError) => void;
}

/** Sends the jobs and prints the id of each, and notes about those that exist already. */
export async function submit(
  queue: JobQueue,
  jobs: readonly OutgoingJob[],
  options: SubmitOptions,
): Promise<Submission> {
  const { terminal, printIds, origins, provider, presentModel, onRefused } = options;
  const { answers, known, again } = await sendJobs(
    queue,
    jobs.map(({ job }) => job),
    provider,
  );
  printRepeated(terminal, again);
  const isAnyDone = answers.some(
    (answer) => answer.outcome === 'exists' && answer.state === 'done',
  );
  const model = isAnyDone ? await presentModel() : null;
  const accepted: Accepted[] = [];
  let refused = 0;
  let refusal: ExitName | null = null;
  for (const [index, answer] of answers.entries()) {
    const origin = jobs[index]?.origin ?? '';
    const info = known.get(answer.id);
    if (answer.outcome === 'refused') {
      refused++;
      refusal ??= exitOfErrorCode(answer.code);
      onRefused(refusalError(answer, origin, info));
      continue;
    }
    accepted.push(answer);
    if (printIds) terminal.result(terminal.json ? answerJson(answer, origin) : shortId(answer.id));
    const first = origins.get(answer.id);
    if (first !== undefined) terminal.note(`${origin} is the same job as ${first}`);
    else if (answer.outcome === 'exists' && info !== undefined) {
      const text = await textOfExisting(queue, info, model);
      terminal.note(text + (jobs.length > 1 ? ` (${origin})` : ''));
    }
    if (first === undefined) origins.set(answer.id, origin);
  }
  return { accepted, refused, refusal };
}

async function textOfExisting(
  queue: JobQueue,
  info: JobInfo,
  model: string | null,
): Promise<string> {
  const kept = info.output === 'written' ? await queue.output(info.id) : null;
  return existingJobText(info, model, kept);
}

function printRepeated(terminal: Terminal, { jobs, provider }: Sent['again']): void {
  if (jobs === 0) return;
  const [what, them] =
    jobs === 1
      ? ['1 job was done as an extract', 'it']
      : [`${jobs} jobs were done as extracts`, 'them'];
  terminal.note(`${what}, not an answer: ${provider} runs ${them} again`);
}

type Refused = Extract<Enqueued, { outcome: 'refused' }>;

function refusalError(answer: Refused, origin: string, existing: JobInfo | undefined): CliError {
  const what = origin === '' ? 'the job' : origin;
  const exit = exitOfErrorCode(answer.code);
  if (answer.code !== 'CONFLICT' || existing === undefined) {
    return new CliError(exit, `${what} was refused: ${answer.message} (${answer.code})`);
  }
  const id = shortId(existing.id);
  return new CliError(
    exit,
    `${what} was refused (CONFLICT): its key belongs to job ${id} (${existing.state}), which has different content`,
    ['Use another key, or give the same content: input, agent and output settings.'],
  );
}

function answerJson({ id, outcome, state }: Accepted, origin: string): string {
  return JSON.stringify({ id, shortId: shortId(id), outcome, state, origin });
}
