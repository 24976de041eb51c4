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
} from '../protocol/index.ts';

/** A job in the hands of this consumer. */
export interface Lease {
  readonly token: LeaseToken;
  /** Replaced by the whole job when its body has to be fetched. */
  job: Job;
  readonly attempt: number;
  readonly crashes: number;
  readonly isolated: boolean;
  readonly enqueuedAtMs: number;
  /** On the monotonic clock (`performance.now()`): past it the lease may be another's. */
  deadlineMs: number;
}

/**
 * A delivery is on its way for an unknown while, since the broker began to count: the part of the
 * lease time that is taken as certain until the first renewal.
 */
const certainShare = 0.9;

export class Leases {
  readonly #held = new Map<string, Lease>();
  /** Those whose settle was sent: whether they still stand is for its answer to say. */
  readonly #settling = new Set<Lease>();
  readonly #onLost: (lease: Lease, code: ErrorCode) => void;

  /** `onLost` is called once for each lease that ends otherwise than by its own settle. */
  constructor(onLost: (lease: Lease, code: ErrorCode) => void) {
    this.#onLost = onLost;
  }

  /** All that stand, then those that may stand because their settle is not answered yet. */
  get all(): Lease[] {
    const held = [...this.#held.values()];
    const isSettling = (lease: Lease): boolean => this.#settling.has(lease);
    return [...held.filter((lease) => !isSettling(lease)), ...held.filter(isSettling)];
  }

  /**
   * Takes a delivery in; null when it is a repetition of one that is held.
   * @throws AiqError `CHECKSUM` when the job was damaged on the way, or what `decodeJob` finds
   */
  take(delivery: Delivery): Lease | null {
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
   * Gives up the leases whose time is over unrenewed: whoever works under them has stopped by now,
   * and the broker should hand those jobs out again. Work that is done and being settled is kept.
   */
  expire(): void {
    const nowMs = performance.now();
    for (const lease of this.all) {
      if (lease.deadlineMs < nowMs) this.#lose(lease, 'STALE_LEASE');
    }
  }

  /** A settle of this lease is under way. */
  settling(lease: Lease): void {
    this.#settling.add(lease);
  }

  /** The settle was answered: the lease is over, whatever the answer. */
  settled(lease: Lease): void {
    this.#drop(lease);
  }

  /** The broker was asked at `askedAtMs` to let the lease live for another `leaseMs`. */
  renewed(lease: Lease, askedAtMs: number, leaseMs: number): void {
    lease.deadlineMs = Math.max(lease.deadlineMs, askedAtMs + leaseMs);
  }

  /** The broker answered a renewal or resumption of the lease with a code, or told us to stop. */
  refused(lease: Lease, code: ErrorCode): void {
    if (this.#held.get(lease.token.id) === lease) this.#lose(lease, code);
  }

  /** The broker says, unasked, that the job of a lease was cancelled. */
  cancelled(token: LeaseToken): void {
    const lease = this.#held.get(token.id);
    if (lease !== undefined && isSameToken(lease.token, token)) this.#lose(lease, 'BAD_STATE');
  }

  #lose(lease: Lease, code: ErrorCode): void {
    if (this.#settling.has(lease)) return;
    this.#drop(lease);
    this.#onLost(lease, code);
  }

  #drop(lease: Lease): void {
    this.#settling.delete(lease);
    if (this.#held.get(lease.token.id) === lease) this.#held.delete(lease.token.id);
  }
}

/** The code of an item's answer, or null when all is well. */
export function codeOf(item: { readonly code: number }): ErrorCode | null {
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
