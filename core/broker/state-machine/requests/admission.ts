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

/** Jobs that were admitted together and are not yet committed. */
interface Batch {
  readonly digests: Map<string, Uint8Array>;
  readonly all: Pending;
  readonly byQueue: Map<string, Pending>;
}

const none: Pending = { jobs: 0, bytes: 0 };

export class Admission {
  readonly rows: NewRow[] = [];
  readonly #core: Core;
  readonly #named: NamedCount;
  readonly #now: Now;
  /** What the jobs before count for those behind them; a single one has none. */
  readonly #batch: Batch | null;
  /** Queues that hold no job yet and will. */
  readonly #newQueues: string[] = [];

  /** @param jobs at most so many are checked */
  constructor(core: Core, named: NamedCount, now: Now, jobs: number) {
    this.#core = core;
    this.#named = named;
    this.#now = now;
    this.#batch = jobs > 1 ? { digests: new Map(), all: { ...none }, byQueue: new Map() } : null;
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
    const pending = this.#batch?.digests.get(id);
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
    const { all } = this.#batch ?? { all: none };
    if (state.jobs.size + all.jobs >= jobsMax) {
      return `the broker holds ${jobsMax} jobs, its limit`;
    }
    if (state.jobs.bytes + all.bytes + jobBytes > bytesMax) {
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
    return known === 0 && this.#batch?.byQueue.has(queue) !== true;
  }

  #queueIsFull({ queue: name, jobBytes }: JobFacts): string | null {
    const queue = this.#core.state.jobs.queues.find(name);
    if (queue === undefined) return null;
    const { jobsMax, bytesMax } = queue.settings;
    const pending = this.#batch?.byQueue.get(name) ?? none;
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
    if (this.#isNew(facts.queue)) this.#newQueues.push(facts.queue);
    if (this.#batch === null) return;
    const { digests, all, byQueue } = this.#batch;
    digests.set(facts.id, facts.digest);
    const pending = byQueue.get(facts.queue) ?? { ...none };
    byQueue.set(facts.queue, pending);
    for (const sum of [pending, all]) {
      sum.jobs++;
      sum.bytes += facts.jobBytes;
    }
  }
}

/** Why a session may name no more queues, of which so many are left. */
export function namedTooMany(named: number, free: number): string {
  return `this session has named ${named} queues and ${free} more are free for all, which are kept for others: use queues that are there`;
}
