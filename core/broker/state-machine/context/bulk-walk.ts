/** Finds the jobs of one bulk operation: an iterator over the lists that can hold them. */

import type { BulkOperation } from '../state/bulks.ts';
import type { JobEntry } from '../state/job-entry.ts';
import type { JobStore } from '../state/job-store.ts';
import type { JobList, NamedQueue } from '../state/named-queue.ts';
import type { RowWalk } from '../table/row-walk.ts';

/** What one step may cost: jobs that it changes, and rows that it scans to find them. */
export interface StepBudget {
  jobs: number;
  steps: number;
}

export class BulkWalk {
  readonly operation: BulkOperation;
  /** The session that began it; null after a restart. */
  readonly session: string | null;
  readonly #jobs: JobStore;
  readonly #lists: Iterator<JobList | null>;
  #walk: RowWalk | null = null;
  #listsWalked = 0;
  isDone = false;

  constructor(jobs: JobStore, operation: BulkOperation, session: string | null) {
    this.#jobs = jobs;
    this.operation = operation;
    this.session = session;
    this.#lists = listsOf(jobs, operation);
  }

  /** The next jobs that it concerns, as many as the budget allows; reduces the budget. */
  next(budget: StepBudget): JobEntry[] {
    const found: JobEntry[] = [];
    while (budget.jobs > 0 && budget.steps > 0 && !this.isDone) {
      budget.steps--;
      const job = this.#jobs.at(this.#nextSlot());
      if (job === undefined || !this.#concerns(job)) continue;
      found.push(job);
      budget.jobs--;
    }
    return found;
  }

  /**
   * Where it continues after a restart, when its lists have another order: of the jobs that came to
   * their state in the very millisecond in which it began, those before this number were touched.
   * 1 when there are several lists: then they cannot be distinguished, and all are touched.
   */
  nextSeqAfter(job: JobEntry): number {
    return this.#listsWalked > 1 ? 1 : job.seq + 1;
  }

  /** Row of the next job; 0 when this step found none. */
  #nextSlot(): number {
    const slot = this.#walk?.next() ?? 0;
    if (slot !== 0) return slot;
    if (this.#walk !== null) this.#jobs.queues.endWalk(this.#walk);
    this.#walk = null;
    const list = this.#lists.next();
    if (list.done === true) this.isDone = true;
    else if (list.value !== null) {
      this.#walk = this.#jobs.queues.walk(list.value);
      this.#listsWalked++;
    }
    return 0;
  }

  /** Only jobs that existed when it began, and that it did not touch already. */
  #concerns(job: JobEntry): boolean {
    const { action, seqMax, atMs, nextSeq } = this.operation;
    if (job.seq > seqMax) return false;
    // A purged job never comes back; any other may be in the list again after it was touched.
    if (action === 'purge' || job.changedAtMs < atMs) return true;
    return job.changedAtMs === atMs && (this.session !== null || job.seq >= nextSeq);
  }
}

/** The lists of an operation; null for a step over a queue that has none. */
function* listsOf(
  { queues }: JobStore,
  { action, queue: name, key }: BulkOperation,
): Generator<JobList | null> {
  // Lists that are created later hold only jobs that came to their state later.
  const createdMax = queues.listsCreated;
  const one = name === null ? undefined : queues.find(name);
  const concerned = name === null ? queues.all() : one === undefined ? [] : [one];
  for (const queue of concerned) {
    if (action === 'purge') yield* waitingLists(queue, createdMax);
    else {
      const home = action === 'signal' ? queue.parked : queue.dead;
      if (key === null) yield* older(home, createdMax);
      else yield home.get(key) ?? null;
    }
  }
}

/** In this order, so that a job that becomes ready meanwhile is met all the same. */
function* waitingLists(queue: NamedQueue, createdMax: number): Generator<JobList> {
  yield queue.delayed;
  yield* older(queue.parked, createdMax);
  for (const { list } of queue.ready) yield list;
}

/** Lists are kept in the order in which they were created. */
function* older(lists: ReadonlyMap<string, JobList>, createdMax: number): Generator<JobList> {
  for (const list of lists.values()) {
    if (list.createdAs >= createdMax) return;
    yield list;
  }
}
