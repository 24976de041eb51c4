/**
 * The consuming side of the port: deliveries under leases, and how they are settled. Part of
 * `port.ts`.
 */

import type {
  ErrorCode,
  Job,
  JobState,
  LeaseToken,
  SettleOutcome,
  Usage,
} from '../protocol/index.ts';

/** A job in the hands of this consumer, until it is settled or its lease is lost. */
export interface LeasedJob {
  readonly token: LeaseToken;
  /** Whole: a body that travelled as a blob is here, too. */
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
  /** What the job made, as JSON text (see `docs/guides/agents.md`); shown by `aiq jobs show`. */
  readonly note?: string;
  readonly usage?: Usage;
  /** Kept with the job until it is forgotten, 64 MiB at most; only with `ack`. */
  readonly result?: Uint8Array;
  /** Follow-up jobs, accepted together with this settle or not at all; only with `ack`. */
  readonly enqueue?: readonly Job[];
  /** Wait for `signal` of this key instead of the delay; not with `ack` and `final`. */
  readonly park?: string;
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
  /**
   * Keeps a value in the journal of a job that this consumer holds or held, written once; resolves
   * with what stands: the first one.
   */
  journalPut(
    leased: Pick<LeasedJob, 'token'>,
    callHash: Uint8Array,
    bytes: Uint8Array,
  ): Promise<Uint8Array>;
  /** Renews leases in one frame and moves their `deadlineMs`. */
  extend(leased: readonly LeasedJob[]): Promise<Extended[]>;
  /** Gives up all leases (uncharged) and the session. */
  close(): Promise<void>;
}
