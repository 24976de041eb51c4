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
import type { OpenBatch } from './open-batch.ts';

/** A job with the file that its input came from, for messages. */
export interface OutgoingJob {
  readonly job: Job;
  readonly origin: string;
}

/** An accepted job, new or known. */
export type Accepted = Extract<Enqueued, { state: unknown }>;

/** What became of the jobs of a command. */
export interface Submission {
  readonly accepted: number;
  readonly created: number;
  /** Those that wait to be run: ready, or delayed. */
  readonly waiting: number;
  /** The accepted ones, where the command waits for them; empty otherwise. */
  readonly jobs: readonly Accepted[];
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

export interface SenderOptions {
  readonly terminal: Terminal;
  /** The command waits for the results: it keeps the jobs, and prints results instead of ids. */
  readonly wait: boolean;
  /** One job is all that the command adds: its refusal is the command's, and it needs no name. */
  readonly single: boolean;
  /** The provider that would run the jobs now. */
  readonly provider: ChosenProvider;
  /** The model that would run them now; null if unknown. */
  readonly presentModel: () => Promise<string | null>;
  /** Opens the queue, when there is something to send. */
  readonly queue: () => Promise<JobQueue>;
  readonly openBatch: OpenBatch;
}

/** More at once would be no quicker, and more of them would grow old while they wait. */
const batchJobsMax = 250;
/** A batch may be larger by its last job. */
const batchBytesMax = 4 * 1024 * 1024;
const originsMax = 10_000;

/**
 * Sends jobs in batches as they come, prints the id of each, and notes about those that exist already.
 * While one batch is on its way the next one fills: two of them are all that is held.
 */
export class Sender {
  readonly #options: SenderOptions;
  #batch: OutgoingJob[] = [];
  #batchBytes = 0;
  #sending: Promise<void> = Promise.resolve();
  /** Origins of the newest jobs of this command, by short id. */
  readonly #origins = new Map<string, string>();
  readonly #jobs: Accepted[] = [];
  readonly #counts = { accepted: 0, created: 0, waiting: 0, refused: 0 };
  #refusal: ExitName | null = null;
  /** Of the jobs' batch, once some are sent. */
  #name: Promise<string> | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Takes a job; waits while two batches are full. @throws what sending one before may throw */
  async add(outgoing: OutgoingJob): Promise<void> {
    this.#batch.push(outgoing);
    this.#batchBytes += outgoing.job.body.length;
    const isFull = this.#batch.length === batchJobsMax || this.#batchBytes >= batchBytesMax;
    if (isFull) await this.#flush();
  }

  /** Counts an input that makes no job, and says why. */
  refuse(message: string, exit: ExitName): void {
    this.#options.terminal.warn(message);
    this.#counts.refused += 1;
    this.#refusal ??= exit;
  }

  /** Sends the rest. */
  async end(): Promise<Submission> {
    await this.#flush();
    await this.#sending;
    return { ...this.#counts, jobs: this.#jobs, refusal: this.#refusal };
  }

  async #flush(): Promise<void> {
    await this.#sending;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    this.#sending = this.#send(batch);
    // Its end is awaited with the next batch, or at the end.
    this.#sending.catch(() => undefined);
  }

  async #send(batch: readonly OutgoingJob[]): Promise<void> {
    const { terminal, provider, presentModel } = this.#options;
    const queue = await this.#options.queue();
    const name = await (this.#name ??= this.#options.openBatch(queue));
    const jobs = batch.map(({ job }) => ({ ...job, batch: name }));
    const { answers, known, again } = await sendJobs(queue, jobs, provider);
    printRepeated(terminal, again);
    const isAnyDone = answers.some(
      (answer) => answer.outcome === 'exists' && answer.state === 'done',
    );
    const model = isAnyDone ? await presentModel() : null;
    for (const [index, answer] of answers.entries()) {
      const origin = batch[index]?.origin ?? '';
      const info = known.get(answer.id);
      if (answer.outcome === 'refused') this.#refused(answer, origin, info);
      else {
        const existing = info === undefined ? '' : await textOfExisting(queue, info, model);
        this.#accepted(answer, origin, existing);
      }
    }
  }

  #refused(answer: Refused, origin: string, info: JobInfo | undefined): void {
    const error = refusalError(answer, origin, info);
    // One of several is a warning: the others may have been accepted.
    if (this.#options.single) throw error;
    this.refuse(error.message, error.exit);
  }

  /** @param existing what is known of a job that was there before; empty for nothing */
  #accepted(answer: Accepted, origin: string, existing: string): void {
    const { terminal, wait, single } = this.#options;
    const counts = this.#counts;
    counts.accepted += 1;
    if (answer.outcome === 'created') counts.created += 1;
    if (answer.state === 'ready' || answer.state === 'delayed') counts.waiting += 1;
    const id = shortId(answer.id);
    if (wait) this.#jobs.push(answer);
    else terminal.result(terminal.json ? answerJson(answer, origin) : id);
    const first = this.#origins.get(id);
    if (first === undefined) this.#remember(id, origin);
    if (answer.outcome !== 'exists') return;
    if (first !== undefined) terminal.note(`${origin} is the same job as ${first}`);
    else if (existing !== '') terminal.note(existing + (single ? '' : ` (${origin})`));
  }

  /** A repetition that comes much later is reported like a job of another command. */
  #remember(id: string, origin: string): void {
    if (this.#origins.size === originsMax) this.#origins.clear();
    this.#origins.set(id, origin);
  }
}

async function textOfExisting(
  queue: JobQueue,
  info: JobInfo,
  model: string | null,
): Promise<string> {
  const { existingJobText } = await import('./existing-job.ts');
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
