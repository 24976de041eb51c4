/**
 * What a client may rely on, from answers alone: usable wherever answers are seen, also by clients
 * of a real broker that is killed. Nothing here knows how the broker works. Jobs are told apart by a
 * key: the id, or more where an id may be forgotten and used anew.
 */

import type { LeaseToken } from '../../core/protocol/index.ts';

export interface Promised {
  /** The job's acceptance was answered. */
  accepted: boolean;
  /** Token whose ack was answered. */
  acked: LeaseToken | null;
  cancelled: boolean;
  /** Newest token that was delivered. */
  newest: LeaseToken | null;
}

export class Promises {
  readonly violations: string[] = [];
  readonly jobs = new Map<string, Promised>();
  /** Journal entries that an answer told, by job and call. */
  readonly journal = new Map<string, string>();
  acceptedCount = 0;
  ackedCount = 0;
  deliveredCount = 0;

  violate(text: string): void {
    this.violations.push(text);
  }

  accepted(key: string): void {
    const job = this.#job(key);
    if (!job.accepted) this.acceptedCount++;
    job.accepted = true;
  }

  /** A job may be delivered again until its ack was answered, and each time with a newer token. */
  delivered(key: string, token: LeaseToken): void {
    const job = this.#job(key);
    this.accepted(key);
    this.deliveredCount++;
    if (job.acked !== null && isNewer(token, job.acked)) {
      this.violate(`${key} was delivered after its ack was answered`);
    }
    if (job.cancelled) this.violate(`${key} was delivered after it was cancelled`);
    if (job.newest !== null && !isNewer(token, job.newest)) {
      this.violate(`${key} was delivered with a token that is not newer`);
    }
    job.newest = token;
  }

  acked(key: string, token: LeaseToken): void {
    const job = this.#job(key);
    if (job.acked === null) this.ackedCount++;
    else if (isNewer(token, job.acked)) this.violate(`${key} was acknowledged twice`);
    job.acked = token;
  }

  cancelled(key: string): void {
    this.#job(key).cancelled = true;
  }

  /** The journal answered this value: it is written once, so every later answer is the same. */
  journaled(key: string, value: string): void {
    const before = this.journal.get(key);
    if (before !== undefined && before !== value) {
      this.violate(`the journal entry ${key} changed after it was answered`);
    }
    this.journal.set(key, value);
  }

  #job(key: string): Promised {
    let job = this.jobs.get(key);
    if (job === undefined) {
      job = { accepted: false, acked: null, cancelled: false, newest: null };
      this.jobs.set(key, job);
    }
    return job;
  }
}

export function isNewer(token: LeaseToken, than: LeaseToken): boolean {
  return token.epoch > than.epoch || (token.epoch === than.epoch && token.delivery > than.delivery);
}
