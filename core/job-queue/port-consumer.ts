/**
 * The consuming side of the port: deliveries under leases, and how they are settled. Part of
 * `port.ts`.
 */

import type { LeasedJob } from '../client/index.ts';
import type {
  Charge,
  ErrorCode,
  Job,
  JobState,
  Overwrite,
  SettleOutcome,
  Usage,
} from '../protocol/index.ts';

/** The files of a result, which the settle makes real. */
export interface SettleOutput {
  /** Absolute output folder. */
  readonly dir: string;
  readonly overwrite: Overwrite;
  /** The earlier job whose files these replace; null for none. */
  readonly replaces: string | null;
  /** At most 64 MiB each; `path` is below the folder. */
  readonly files: readonly { readonly path: string; readonly content: Uint8Array }[];
  /** How it was made, as JSON text. */
  readonly provenance: string;
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
  /** Files in place of the result; only with `ack`. */
  readonly output?: SettleOutput;
  /** What was sent to the model, packed; kept as long as the result, and left out where there is no room. */
  readonly prompts?: Uint8Array;
  /** Follow-up jobs, accepted together with this settle or not at all; only with `ack`. */
  readonly enqueue?: readonly Job[];
  /** Wait for `signal` of this key instead of the delay; not with `ack` and `final`. */
  readonly park?: string;
}

/** A model call that is about to be made. */
export interface CallBound {
  /** Drawn at random for each call, from 1 to 2^53 - 1; its charge names it. */
  readonly hold: number;
  readonly agent: string;
  readonly model: string;
  readonly tags: readonly string[];
  /** What it can cost at most, in millionths; null where it holds no money. */
  readonly boundMicros: number | null;
  /** Null where no rate concerns it. */
  readonly rates: CallRates | null;
}

/** What a configuration allows; null for no such limit. */
export interface RateLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  /** Calls in flight. */
  readonly concurrency: number | null;
}

/** Under which rates calls fall, those of all consumers together. */
export interface RateTerms {
  /** A hash of the provider's address and key; holds no secret. */
  readonly provider: string;
  /** Whether the provider is on this machine. */
  readonly isLocal: boolean;
  readonly agentLimits: RateLimits;
  readonly providerLimits: RateLimits;
}

/** The same, and the tokens that are expected of one call. */
export interface CallRates extends RateTerms {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Whether the call may start, or which budget has no room for it. */
export type Reserved =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `over_bound`: the model was billed above what a call can cost. */
      readonly reason: 'amount' | 'over_bound';
      readonly budget: string;
      readonly leftMicros: number;
      /** When its next period begins; null for never. */
      readonly opensAtMs: number | null;
    };

/** The answer to one settle: the job's new state, or why nothing changed. */
export type Settled =
  | { readonly ok: true; readonly state: JobState }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

export interface ConsumeOptions {
  readonly queues: readonly string[];
  /** Most leases at one time. */
  readonly credit: number;
  /** Called for each delivery; must not throw. */
  readonly onDelivery: (leased: LeasedJob) => void;
  /** The lease is no longer ours (it ran out, or the job was cancelled): stop the work, settle nothing. */
  readonly onLeaseLost: (leased: LeasedJob, code: ErrorCode) => void;
}

/**
 * A running subscription. It renews the leases of its jobs by itself, and survives lost connections and
 * broker restarts by resuming its session.
 */
export interface Consumer {
  /** Changes the number of leases wanted at one time; 0 takes nothing new. */
  setCredit(credit: number): void;
  /**
   * Settles a lease; repeats over reconnects until an answer comes. Settles of one tick share a frame.
   */
  settle(leased: LeasedJob, settle: Settle): Promise<Settled>;
  /**
   * Keeps a value in the journal of a job that this consumer holds or held, written once; resolves
   * with the one that is stored: the first. The charge of the call that brought it counts with it.
   */
  journalPut(
    leased: Pick<LeasedJob, 'token'>,
    callHash: Uint8Array,
    bytes: Uint8Array,
    charge?: Charge,
  ): Promise<Uint8Array>;
  /**
   * Reserves what a call can cost, durably, and its place under the rates; resolves once it fits, or can not
   * fit any more. Needs the lease. A place ends with the charge, or with the lease.
   */
  reserve(leased: Pick<LeasedJob, 'token'>, call: CallBound): Promise<Reserved>;
  /** What became of calls that brought nothing into a journal; each counts once. */
  charge(charges: readonly Charge[]): Promise<void>;
  /** Gives up all leases (uncharged) and the session. */
  close(): Promise<void>;
}
