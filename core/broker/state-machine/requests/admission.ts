/**
 * Admission control: decides which new jobs are accepted, before any of them is committed. It checks
 * known ids, limits of the queue and of the broker, blobs that must be stored and a full disk, and
 * counts what it admitted, so that a whole batch is checked against the room that is left.
 */

import type { JobFacts, NewJobFacts, Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import type { Refusal } from '../context/request.ts';
import type { RecordOf } from '../records/records.ts';
import type { NamedCount } from '../state/named-queue.ts';

/** An admitted job: as the log will hold it, and as the core will. */
export interface NewRow {
  readonly job: RecordOf<'enqueued'>['jobs'][number];
  readonly facts: JobFacts;
}

/** Jobs and bytes that were admitted and are not yet committed. */
interface Pending {
  jobs: number;
  bytes: number;
}

export class Admission {
  readonly rows: NewRow[] = [];
  readonly #core: Core;
  readonly #named: NamedCount;
  readonly #now: Now;
  readonly #digests: Map<string, Uint8Array> = new Map();
  readonly #all: Pending = { jobs: 0, bytes: 0 };
  readonly #byQueue: Map<string, Pending> = new Map();
  /** Queues that hold no job yet and will. */
  readonly #newQueues: string[] = [];

  constructor(core: Core, named: NamedCount, now: Now) {
    this.#core = core;
    this.#named = named;
    this.#now = now;
  }

  /** Accepts what was admitted, in one record. */
  commit(): void {
    if (this.rows.length === 0) return;
    const facts = this.rows.map((row) => row.facts);
    const jobs = this.rows.map(({ job }) => job);
    this.#core.commit({ kind: 'enqueued', atMs: this.#now.wallMs, jobs }, facts);
    this.countNames();
  }

  /** Once the rows are committed: the new queues count for who named them. */
  countNames(): void {
    const { queues } = this.#core.state.jobs;
    for (const queue of this.#newQueues) queues.countFor(this.#named, queue);
  }

  /** Admits the job, recognises a known one, or refuses it. */
  check(bytes: Uint8Array, facts: NewJobFacts): 'created' | 'exists' | Refusal<'item'> {
    const known = this.#isKnown(facts);
    if (known !== null) {
      if (known) return 'exists';
      return { code: 'CONFLICT', message: 'a job with this id and other content exists' };
    }
    const refusal = this.#refusal(facts);
    if (refusal !== null) return refusal;
    this.#admit(bytes, facts);
    return 'created';
  }

  /** Null when the id is new; else whether the content is the same. */
  #isKnown({ id, digest }: JobFacts): boolean | null {
    const job = this.#core.state.jobs.get(id);
    if (job !== undefined) return job.hasDigest(digest);
    const pending = this.#digests.get(id);
    if (pending === undefined) return null;
    return pending.every((byte, index) => byte === digest[index]);
  }

  #refusal(facts: JobFacts): Refusal<'item'> | null {
    const { diskFull, fullReason, state } = this.#core;
    if (diskFull) {
      return {
        code: 'DISK_FULL',
        message: `at the broker ${fullReason}: nothing new is accepted until there is room`,
      };
    }
    if (facts.bodyRef !== null && !state.blobs.isStored(facts.bodyRef)) {
      return { code: 'NO_BLOB', message: 'the blob that holds the input is not stored' };
    }
    const full = this.#brokerIsFull(facts) ?? this.#queueIsFull(facts);
    return full === null ? null : { code: 'QUEUE_FULL', message: full };
  }

  #brokerIsFull({ jobBytes, queue }: JobFacts): string | null {
    const { state, options } = this.#core;
    const { jobsMax, bytesMax, queuesMax } = options;
    if (state.jobs.size + this.#all.jobs >= jobsMax) {
      return `the broker holds ${jobsMax} jobs, its limit`;
    }
    if (state.jobs.bytes + this.#all.bytes + jobBytes > bytesMax) {
      return `the broker holds ${state.jobs.bytes} bytes of unfinished jobs; its limit is ${bytesMax}`;
    }
    if (!this.#isNew(queue)) return null;
    const free = queuesMax - state.jobs.queues.withJobs - this.#newQueues.length;
    if (free <= 0) return `the broker has jobs of ${queuesMax} queues, its limit; use one of them`;
    const named = this.#named.queues + this.#newQueues.length;
    return named < free ? null : namedTooMany(named, free);
  }

  /** True for a queue of which no job is known, and of this batch none either. */
  #isNew(queue: string): boolean {
    const known = this.#core.state.jobs.queues.find(queue)?.known ?? 0;
    return known === 0 && !this.#byQueue.has(queue);
  }

  #queueIsFull({ queue: name, jobBytes }: JobFacts): string | null {
    const queue = this.#core.state.jobs.queues.find(name);
    if (queue === undefined) return null;
    const { jobsMax, bytesMax } = queue.settings;
    const pending = this.#byQueue.get(name) ?? { jobs: 0, bytes: 0 };
    if (jobsMax > 0 && queue.jobs + pending.jobs >= jobsMax) {
      return `queue ${name} holds ${jobsMax} jobs, its limit`;
    }
    if (bytesMax > 0 && queue.bytes + pending.bytes + jobBytes > bytesMax) {
      return `queue ${name} holds ${queue.bytes} bytes; its limit is ${bytesMax}`;
    }
    return null;
  }

  #admit(bytes: Uint8Array, facts: NewJobFacts): void {
    const { wallMs, systemMs } = this.#now;
    // A time of day is as far away as the system's clock says now; from here on it is a delay.
    const waitMs = Math.max(facts.runAtMs - systemMs, facts.delayMs);
    const seq = this.#core.state.jobs.seqs.highest + this.rows.length + 1;
    this.rows.push({
      job: { seq, dueAtMs: waitMs > 0 ? wallMs + waitMs : 0, job: bytes },
      facts,
    });
    this.#digests.set(facts.id, facts.digest);
    if (this.#isNew(facts.queue)) this.#newQueues.push(facts.queue);
    const pending = this.#byQueue.get(facts.queue) ?? { jobs: 0, bytes: 0 };
    this.#byQueue.set(facts.queue, pending);
    for (const sum of [pending, this.#all]) {
      sum.jobs++;
      sum.bytes += facts.jobBytes;
    }
  }
}

/** Why a session may name no more queues, of which so many are left. */
export function namedTooMany(named: number, free: number): string {
  return `this session has named ${named} queues and ${free} more are free for all, which are kept for others: use queues that are there`;
}
