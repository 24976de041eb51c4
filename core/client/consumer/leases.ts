/**
 * The leases that a consumer holds, by job, and the rules by which they end. It knows no
 * connection: what the broker says comes in as answers.
 */

import { crc32 } from 'node:zlib';
import {
  AiqError,
  type Delivery,
  decodeJob,
  type ErrorCode,
  errorCodeOf,
  type Job,
  jobChecksumFits,
  type LeaseToken,
  noError,
} from '../../protocol/index.ts';

/** A job in the hands of this consumer, until it is settled or its lease is lost. */
export interface LeasedJob {
  readonly token: LeaseToken;
  /** Whole once it is handed on: a body that travelled as a blob is here, too. */
  job: Job;
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

/**
 * A delivery is on its way for an unknown while, since the broker began to count: the part of the
 * lease time that is taken as certain until the first renewal.
 */
const certainShare = 0.9;

export class Leases {
  readonly #held = new Map<string, LeasedJob>();
  /** Those whose settle was sent: its answer says whether they were still held. */
  readonly #settling = new Set<LeasedJob>();
  readonly #onLost: (lease: LeasedJob, code: ErrorCode) => void;

  /** `onLost` is called once for each lease that ends otherwise than by its own settle. */
  constructor(onLost: (lease: LeasedJob, code: ErrorCode) => void) {
    this.#onLost = onLost;
  }

  /** All that are held and not being settled. */
  get renewable(): LeasedJob[] {
    return [...this.#held.values()].filter((lease) => !this.#settling.has(lease));
  }

  /** The renewable ones, then those whose settle is not answered yet. */
  get all(): LeasedJob[] {
    const settling = [...this.#held.values()].filter((lease) => this.#settling.has(lease));
    return [...this.renewable, ...settling];
  }

  /**
   * Takes a delivery in; null when it is a repetition of one that is held.
   * @throws AiqError `CHECKSUM` when the job was damaged on the way, or what `decodeJob` finds
   */
  take(delivery: Delivery): LeasedJob | null {
    const { token, attempt, crashes, isolated, enqueuedAtMs, leaseMs } = delivery;
    const older = this.#held.get(token.id);
    if (older !== undefined && isSameToken(older.token, token)) return null;
    if (older !== undefined) this.#lose(older, 'STALE_LEASE');
    const job = jobOf(delivery);
    const deadlineMs = performance.now() + leaseMs * certainShare;
    const lease = { token, job, attempt, crashes, isolated, enqueuedAtMs, deadlineMs };
    this.#held.set(token.id, lease);
    return lease;
  }

  /**
   * Gives up the leases that were not renewed in time: the broker may hand those jobs out again. Work
   * that is done and being settled is kept.
   */
  expire(): void {
    const nowMs = performance.now();
    for (const lease of this.renewable) {
      if (lease.deadlineMs < nowMs) this.#lose(lease, 'STALE_LEASE');
    }
  }

  /** A settle of this lease begins; false when the lease was not renewed in time, and is lost. */
  settling(lease: LeasedJob): boolean {
    if (lease.deadlineMs < performance.now()) {
      this.refused(lease, 'STALE_LEASE');
      return false;
    }
    this.#settling.add(lease);
    return true;
  }

  /** The settle was answered: the lease is over, whatever the answer. */
  settled(lease: LeasedJob): void {
    this.#drop(lease);
  }

  /** The broker was asked at `askedAtMs` to let the lease live for another `leaseMs`. */
  renewed(lease: LeasedJob, askedAtMs: number, leaseMs: number): void {
    lease.deadlineMs = Math.max(lease.deadlineMs, askedAtMs + leaseMs);
  }

  /** The broker answered a renewal or resumption of the lease with a code, or with `cancel`. */
  refused(lease: LeasedJob, code: ErrorCode): void {
    if (this.#held.get(lease.token.id) === lease) this.#lose(lease, code);
  }

  /** The broker says, unasked, that the job of a lease was cancelled. */
  cancelled(token: LeaseToken): void {
    const lease = this.#held.get(token.id);
    if (lease !== undefined && isSameToken(lease.token, token)) this.#lose(lease, 'BAD_STATE');
  }

  #lose(lease: LeasedJob, code: ErrorCode): void {
    if (this.#settling.has(lease)) return;
    this.#drop(lease);
    this.#onLost(lease, code);
  }

  #drop(lease: LeasedJob): void {
    this.#settling.delete(lease);
    if (this.#held.get(lease.token.id) === lease) this.#held.delete(lease.token.id);
  }
}

/** The code of an item's answer, or null when all is well. */
export function itemCodeOf(item: { readonly code: number }): ErrorCode | null {
  return item.code === noError ? null : errorCodeOf(item.code);
}

function isSameToken(one: LeaseToken, other: LeaseToken): boolean {
  return one.epoch === other.epoch && one.delivery === other.delivery;
}

/** The job is copied out of the frame, so that it does not keep the received chunk in memory. */
function jobOf(delivery: Delivery): Job {
  const bytes = new Uint8Array(delivery.job);
  if (!jobChecksumFits(bytes, crc32)) {
    throw new AiqError('CHECKSUM', 'its checksum does not fit: it was damaged on the way');
  }
  return decodeJob(bytes);
}
