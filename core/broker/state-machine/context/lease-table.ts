/** The leases that are held, by job and by deadline. */

import type { LeaseToken } from '../../../protocol/index.ts';
import { isNewest, type JobEntry } from '../state/job-entry.ts';
import { TimeHeap } from '../table/time-heap.ts';
import type { Lease, Session } from './session.ts';

/** How long leases last; both in milliseconds. */
export interface LeaseOptions {
  /** How long a lease lasts without Extend. */
  readonly leaseMs: number;
  /** A lease ends after so long, however often it is renewed: no agent may take that long for a job. */
  readonly leaseAgeMsMax: number;
}

export class LeaseTable {
  /** Leases by deadline; a renewed one is pushed again when its old entry comes up. */
  readonly deadlines: TimeHeap<Lease> = new TimeHeap();
  readonly #options: LeaseOptions;
  /** By the acceptance number of the job. */
  readonly #leases: Map<number, Lease> = new Map();

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Records a new lease of a job; its time does not run before `begin`. */
  add(session: Session, job: JobEntry): Lease {
    const { seq, jobBytes: bytes } = job;
    const never = Number.POSITIVE_INFINITY;
    const times = { deadlineMs: never, endsAtMs: never, ended: false };
    const lease: Lease = { job, seq, session, bytes, ...times };
    session.leases.set(seq, lease);
    session.leasedBytes += bytes;
    this.#leases.set(seq, lease);
    return lease;
  }

  /** The time of a lease runs from now on. */
  begin(lease: Lease, nowMs: number): void {
    if (lease.ended) return;
    lease.deadlineMs = nowMs + this.#options.leaseMs;
    lease.endsAtMs = nowMs + this.#options.leaseAgeMsMax;
    this.deadlines.push(lease.deadlineMs, lease);
  }

  /** Renews a lease that has begun, up to its greatest age. */
  renew(lease: Lease, nowMs: number): void {
    lease.deadlineMs = Math.min(nowMs + this.#options.leaseMs, lease.endsAtMs);
  }

  /** The lease of a job that is leased. */
  of(job: JobEntry): Lease | undefined {
    return this.#leases.get(job.seq);
  }

  /** The lease that a token names, when it is the newest of its job and of this session. */
  held(job: JobEntry, token: LeaseToken, session: Session): Lease | undefined {
    const lease = this.of(job);
    return lease?.session === session && isNewest(job, token) ? lease : undefined;
  }

  /** Removes the lease of a job that was settled, lost or cancelled. */
  drop(job: JobEntry): void {
    const lease = this.of(job);
    if (lease === undefined) return;
    const { session, seq, bytes } = lease;
    lease.ended = true;
    this.#leases.delete(seq);
    session.leases.delete(seq);
    session.leasedBytes -= bytes;
  }
}
