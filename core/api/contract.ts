/** What a connection offers to a program. Types alone. */

import type {
  ErrorCode,
  JobDescription,
  JobDetails,
  JobState,
  Priority,
} from '../job-queue/index.ts';
import type { JobReport, RunSummary as RuntimeSummary } from '../runtime/index.ts';

/**
 * A connection to a broker, with the agents and the settings of one folder. Several calls may be
 * under way at one time; they share the connection.
 */
export interface Aiq {
  /**
   * Queues one job; it is on the broker's disk when this resolves. The same agent, input and
   * options again find the same job instead of making a second one: see `outcome`.
   * @throws UnknownAgentError, BrokenAgentError for the agent
   * @throws AgentError `input_invalid` with every problem of the input; nothing was queued
   * @throws AiqError when the broker refuses the job or does not answer
   */
  enqueue(agent: string, input: unknown, options?: EnqueueOptions): Promise<EnqueuedJob>;
  /**
   * Queues many jobs for one agent, in few round trips. Every input is checked before any is sent.
   * @returns one answer for each request, in their order; the broker refuses jobs one by one
   * @throws what `enqueue` throws, except for the refusal of single jobs
   */
  enqueueMany(
    agent: string,
    requests: readonly JobRequest[],
  ): Promise<readonly (EnqueuedJob | RefusedJob)[]>;
  /**
   * Waits until a job is done, dead or cancelled, whichever consumer works on it.
   * @param id the job's id, or any unique beginning of it
   * @throws AiqError `NOT_FOUND`, `BAD_REQUEST` when several jobs begin like that, or the signal's
   *   reason
   */
  wait(id: string, options?: WaitOptions): Promise<JobDescription>;
  /**
   * @param id the job's id, or any unique beginning of it
   * @returns null when there is no such job
   * @throws AiqError `BAD_REQUEST` when several jobs begin like that
   */
  job(id: string): Promise<JobDetails | null>;
  /** The jobs that the broker knows, newest first, fetched page by page as they are asked for. */
  jobs(filter?: JobsFilter): AsyncIterable<JobDescription>;
  /**
   * Jobs of any age for which every condition holds, newest first, page by page. It reads the
   * broker's history, which is a moment behind.
   */
  search(options?: SearchOptions): AsyncIterable<JobDescription>;
  /**
   * What a job's consumer handed to the broker with the acknowledgement: the bytes of its only file,
   * or as JSON the list of its files.
   * @returns null when there is nothing
   * @throws AiqError `NOT_FOUND`; `BAD_STATE` when the job is not done
   */
  result(id: string): Promise<Uint8Array | null>;
  /**
   * Cancels a job that is not done; its consumer is notified at once.
   * @throws AiqError `NOT_FOUND`; `BAD_STATE` when it is done or was cancelled before
   */
  cancel(id: string): Promise<void>;
  /** Queues dead jobs again, with all their attempts; resolves with their number. */
  retryDead(filter?: DeadJobs): Promise<number>;
  /** Makes every job ready that is parked on the key; resolves with their number. */
  signal(key: string): Promise<number>;
  /**
   * Works on jobs in this process, in a bounded pool of threads, until no job of these agents is
   * waiting or running, here or elsewhere, or until the signal aborts. Jobs that fail for good are
   * counted in the summary; they do not reject it.
   * @throws UnknownAgentError, BrokenAgentError for a named agent
   * @throws RunError when nothing can be done: no agent, no usable provider, a refused key
   * @throws TrustError when it would send a key or run code that is not allowed
   */
  run(options?: RunOptions): Promise<RunSummary>;
  /** Stops what `run` does here, hands its jobs back uncharged, and disconnects. */
  close(): Promise<void>;
}

export interface EnqueueOptions {
  /**
   * Your own key for the job, instead of its content. The same key with another input is refused
   * with `CONFLICT`.
   */
  readonly id?: string;
  /** Makes a new job even if the same one exists. Contradicts `id`. */
  readonly force?: boolean;
  /** Where the input came from, for people and for output patterns: mostly a file's name. */
  readonly source?: string;
  /** Earliest start after now, milliseconds. */
  readonly delayMs?: number;
  /** Earliest start; with `delayMs` the later one counts. */
  readonly runAt?: Date;
  /** Dead with the code `expired` instead of started from then on. */
  readonly expiresAt?: Date;
  /** How urgent it is. Default `normal`; a job that waits ages, so none starves. */
  readonly priority?: Priority;
  /** Words to find the job by: at most 16, printable ASCII without spaces. */
  readonly tags?: readonly string[];
  /** Parked until `signal` of this key. */
  readonly parkKey?: string;
}

/** One of many jobs. */
export interface JobRequest extends EnqueueOptions {
  readonly input: unknown;
}

/** A job that the broker has, on disk. */
export interface EnqueuedJob {
  readonly id: string;
  readonly shortId: string;
  /** `exists`: the same job was queued before; nothing was added. */
  readonly outcome: 'created' | 'exists';
  readonly state: JobState;
}

/** A job that the broker did not take. */
export interface RefusedJob {
  readonly id: string;
  readonly shortId: string;
  readonly outcome: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
}

export interface WaitOptions {
  /** Ends the wait, for instance `AbortSignal.timeout(60_000)`; the job lives on. */
  readonly signal?: AbortSignal;
}

export interface JobsFilter {
  /** Mostly the agent's name. */
  readonly queue?: string;
  readonly state?: JobState;
}

export interface SearchOptions {
  readonly queue?: string;
  /** In one of these states. */
  readonly states?: readonly JobState[];
  readonly agent?: string;
  readonly tag?: string;
  /** Words that occur in source, note or error. */
  readonly text?: string;
  /** Code of the last failure, such as `timeout`. */
  readonly code?: string;
  /** When it entered its state. */
  readonly since?: Date;
  readonly until?: Date;
  /** Least cost of its calls, in the currency of the prices. */
  readonly minCost?: number;
}

/** Which dead jobs; all when nothing is given. */
export interface DeadJobs {
  readonly queue?: string;
  /** Code of the failure that they died of. */
  readonly code?: string;
}

export interface RunOptions {
  /** Names of the agents to serve. Default: every agent that can be used. */
  readonly agents?: readonly string[];
  /** Model id that wins over the agents' own. */
  readonly model?: string;
  /** False works until the signal aborts. Default true. */
  readonly untilEmpty?: boolean;
  /** Takes nothing new; running jobs get the time of the setting `run.grace`, then go back. */
  readonly signal?: AbortSignal;
  /** Gets how each job ended here. What it throws ends the run and rejects it. */
  readonly onJob?: (report: JobReport) => void;
}

/** What one run did. */
export type RunSummary = Omit<RuntimeSummary, 'fatal'>;
