/**
 * The `JobQueue` port: all that runtime and command line know of an engine. Two engines stand
 * behind it, the built-in broker (`aiq/`) and NATS JetStream (later). Nothing here says how bytes
 * travel.
 */

import type {
  ErrorCode,
  Job,
  JobInfo,
  JobState,
  LeaseToken,
  QueueInfo,
  SettleOutcome,
  Usage,
} from '../protocol/index.ts';

/** What became of one enqueued job. `refused` carries the reason. */
export type Enqueued =
  | { readonly id: string; readonly outcome: 'created' | 'exists'; readonly state: JobState }
  | {
      readonly id: string;
      readonly outcome: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
    };

/** A job in the hands of this consumer, until it is settled or its lease is lost. */
export interface LeasedJob {
  readonly token: LeaseToken;
  readonly job: Job;
  /** Number of this attempt, from 1: charged failures so far plus one. */
  readonly attempt: number;
  /** Times that a holder of this job vanished. */
  readonly crashes: number;
  /** True when the job should run alone, because a holder of it vanished before. */
  readonly isolated: boolean;
  readonly enqueuedAtMs: number;
  /** On the local monotonic clock (`performance.now()`): past it the lease may be another's. */
  deadlineMs: number;
}

/** How a lease ends. */
export interface Settle {
  readonly outcome: SettleOutcome;
  /** For `retry`, `throttled` and `returned`: time until the job may run again. */
  readonly delayMs?: number;
  /** Short machine-readable cause, such as `rate_limited`. Required for all but `ack`. */
  readonly errorCode?: string;
  readonly errorMessage?: string;
  /** What the job made, as JSON text (see `docs/agents.md`); shown by `aiq jobs show`. */
  readonly note?: string;
  readonly usage?: Usage;
}

/** The answer to one settle: the job's new state, or why nothing changed. */
export type Settled =
  | { readonly ok: true; readonly state: JobState }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

export type Directive = 'none' | 'cancel' | 'drain';

/** The answer to the renewal of one lease. */
export type Extended =
  | { readonly ok: true; readonly directive: Directive }
  | { readonly ok: false; readonly code: ErrorCode };

export interface ConsumeOptions {
  readonly queues: readonly string[];
  /** Most leases at one time. */
  readonly credit: number;
  /** Called for each delivery; must not throw. */
  readonly onDelivery: (leased: LeasedJob) => void;
  /** The lease is no longer ours (it ran out, or the job was cancelled): stop the work, settle nothing. */
  readonly onLeaseLost: (leased: LeasedJob, code: ErrorCode) => void;
}

/** A running subscription. Survives lost connections and broker restarts by resuming its session. */
export interface Consumer {
  /** Lease time that the broker grants, milliseconds. */
  readonly leaseMs: number;
  /** Changes the number of leases wanted at one time; 0 takes nothing new. */
  setCredit(credit: number): void;
  /**
   * Settles a lease; repeats over reconnects until an answer comes. Settles of one tick share a frame.
   */
  settle(leased: LeasedJob, settle: Settle): Promise<Settled>;
  /** Renews leases in one frame and moves their `deadlineMs`. */
  extend(leased: readonly LeasedJob[]): Promise<Extended[]>;
  /** Gives up all leases (uncharged) and the session. */
  close(): Promise<void>;
}

export interface JobFilter {
  readonly queue?: string;
  readonly state?: JobState;
  /** Cursor of the page before: its `next`. */
  readonly before?: number;
  readonly limit?: number;
}

export interface WatchOptions {
  /** Queues to watch; all when none is named. */
  readonly queues?: readonly string[];
  /** Called for each change of a job's state, in order; must not throw. */
  readonly onChange: (job: JobInfo) => void;
  /** The connection was lost and regained: changes in between were not told. */
  readonly onGap?: () => void;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

export interface JobPage {
  /** Newest first, as many as were asked for unless the list ends before. */
  readonly jobs: JobInfo[];
  /** Cursor for the next page, or null at the end. */
  readonly next: number | null;
}

export interface InspectedJob {
  readonly info: JobInfo;
  /** The job as enqueued; null once the broker dropped its bytes (it is finished). */
  readonly job: Job | null;
}

export interface QueueStats {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly connections: number;
  readonly logBytes: number;
  readonly queues: QueueInfo[];
}

/**
 * An engine. Every method rejects with an `AiqError`: `UNREACHABLE` when nobody answers within the
 * connect deadline, `OUTCOME_UNKNOWN` when an answer was lost.
 */
export interface JobQueue {
  /** For messages: `file:./.aiq`, `tcp://127.0.0.1:4222`. */
  readonly address: string;
  /** Durable when it resolves. With `atomic`, all or none. */
  enqueue(jobs: readonly Job[], options?: { readonly atomic?: boolean }): Promise<Enqueued[]>;
  consume(options: ConsumeOptions): Promise<Consumer>;
  /** Jobs whose id begins with the text; at most 10. */
  inspect(idPrefix: string, options?: { readonly withJob?: boolean }): Promise<InspectedJob[]>;
  list(filter: JobFilter): Promise<JobPage>;
  /** Of the named queues, or of all when none is named. */
  stats(queues?: readonly string[]): Promise<QueueStats>;
  /** Resolves when the job is done, dead or cancelled; rejects with the signal's reason when aborted. */
  wait(id: string, signal?: AbortSignal): Promise<JobInfo>;
  cancel(ids: readonly string[]): Promise<Settled[]>;
  /** Makes dead jobs ready again with their attempts at zero. */
  retry(ids: readonly string[]): Promise<Settled[]>;
  /** Stops the deliveries of a queue, durably; what runs goes on, and so do enqueues. */
  pause(queue: string): Promise<void>;
  /** Restarts the deliveries of a queue. Pausing and resuming may be repeated. */
  resume(queue: string): Promise<void>;
  /** Cancels the jobs of a queue that wait (ready or delayed); resolves with their number. */
  purge(queue: string): Promise<number>;
  /**
   * Resolves once the watch stands: from then on every change is told, over lost connections and
   * broker restarts, until the signal aborts or the queue is closed.
   */
  watch(options: WatchOptions): Promise<void>;
  /** Asks the broker to stop; only where the engine is ours to stop. */
  shutdown(): Promise<void>;
  close(): Promise<void>;
}
