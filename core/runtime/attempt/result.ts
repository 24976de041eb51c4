/** What a job thread is asked and what it answers. Plain data: it crosses threads. */

import type { JsonObject } from '../../agent/index.ts';
import type { FailureClass } from '../../model/index.ts';
import type { Overwrite } from '../../output/index.ts';
import type { JobUsage } from './usage.ts';

/** One attempt at one job. */
export interface JobRequest {
  readonly id: string;
  readonly agent: string;
  /** The job's body as enqueued. */
  readonly body: Uint8Array;
  readonly source: string;
  readonly createdAtMs: number;
  readonly attempt: number;
  /** False when it was not delivered before: nothing can have been paid for yet. */
  readonly isRedelivery: boolean;
  /** Digest of the definition that the job was found to be for; absent where any will do. */
  readonly definition?: string;
  /** The job was made with an older definition: its input is checked, and another job does the work. */
  readonly isSuperseded?: boolean;
}

export interface JobFailure {
  /** `parked`: no failure, but a budget that has no room for the next call. */
  readonly class: FailureClass | 'parked';
  /** Short machine-readable cause, such as `rate_limited`. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number | null;
  /** The key that a parked job waits for. */
  readonly park?: string;
}

export interface JobSuccess {
  readonly ok: true;
  /** Absolute output folder. */
  readonly root: string;
  /** By their paths below it, as rendered; of a recovered result only the paths. */
  readonly files: readonly { readonly path: string; readonly content: Uint8Array }[];
  readonly overwrite: Overwrite;
  /** The job whose files these take the place of; null for none. */
  readonly replaces: string | null;
  /** A path, in its normal form, at which nothing lay when the job began; null where that is not known. */
  readonly wasFree: string | null;
  readonly provenance: JsonObject;
  readonly model: string;
  /** The model that was asked for, where the server named it otherwise. */
  readonly askedModel?: string;
  readonly provider: string;
  /** True when the folder had a result of the job already: no model was called. */
  readonly recovered: boolean;
  /** Files that should have been searched and were not: how many, and the first of them. */
  readonly notSearched?: string;
  /** What was sent to the model, as JSON; null when nothing was. */
  readonly prompts: Uint8Array | null;
  readonly usage: JobUsage;
}

/** A failed attempt carries its usage too: it was paid for. */
export type JobResult =
  | JobSuccess
  | {
      readonly ok: false;
      readonly failure: JobFailure;
      /** Of a job that was superseded: its input, as the present definition has it. */
      readonly input?: JsonObject;
      readonly prompts: Uint8Array | null;
      readonly usage: JobUsage;
    };

/** Why the main thread stops a running attempt. */
export type StopReason = 'shutdown' | 'cancelled' | 'lease_lost';
