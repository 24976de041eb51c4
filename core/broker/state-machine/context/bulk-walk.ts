/** Finds the jobs of one bulk operation: it walks the lines in which they stand, and no others. */

import type { BulkOperation } from '../state/bulks.ts';
import type { JobEntry } from '../state/job-entry.ts';
import type { JobStore } from '../state/job-store.ts';
import type { Line, NamedQueue } from '../state/named-queue.ts';
import type { RowWalk } from '../table/row-walk.ts';

/** What one step may cost: jobs that it changes, and places that it looks at to find them. */
export interface StepBudget {
  jobs: number;
  looks: number;
}

export class BulkWalk {
  readonly operation: BulkOperation;
  /** Who began it; null after a restart. */
  readonly session: string | null;
  readonly #jobs: JobStore;
  readonly #lines: Iterator<Line | null>;
  #walk: RowWalk | null = null;
  #linesWalked = 0;
  isDone = false;

  constructor(jobs: JobStore, operation: BulkOperation, session: string | null) {
    this.#jobs = jobs;
    this.operation = operation;
    this.session = session;
    this.#lines = linesOf(jobs, operation);
  }

  /** The next jobs that it concerns, as many as the budget allows, which it takes them from. */
  next(budget: StepBudget): JobEntry[] {
    const found: JobEntry[] = [];
    while (budget.jobs > 0 && budget.looks > 0 && !this.isDone) {
      budget.looks--;
      const job = this.#jobs.at(this.#nextSlot());
      if (job === undefined || !this.#concerns(job)) continue;
      found.push(job);
      budget.jobs--;
    }
    return found;
  }

  /**
   * Where it goes on after a restart, when its lines stand in another order: of the jobs that came to
   * their state in the very millisecond in which it began, those before this number were touched.
   * 1 when there are several lines: then they cannot be told apart, and all are touched.
   */
  nextSeqAfter(job: JobEntry): number {
    return this.#linesWalked > 1 ? 1 : job.seq + 1;
  }

  /** Row of the next job; 0 when this look found none. */
  #nextSlot(): number {
    const slot = this.#walk?.next() ?? 0;
    if (slot !== 0) return slot;
    if (this.#walk !== null) this.#jobs.queues.endWalk(this.#walk);
    this.#walk = null;
    const line = this.#lines.next();
    if (line.done === true) this.isDone = true;
    else if (line.value !== null) {
      this.#walk = this.#jobs.queues.walk(line.value);
      this.#linesWalked++;
    }
    return 0;
  }

  /** Only jobs that were there when it began, and that it did not touch already. */
  #concerns(job: JobEntry): boolean {
    const { action, seqMax, atMs, nextSeq } = this.operation;
    if (job.seq > seqMax) return false;
    // What is purged never comes back; of the others, one that was touched may stand there again.
    if (action === 'purge' || job.changedAtMs < atMs) return true;
    return job.changedAtMs === atMs && (this.session !== null || job.seq >= nextSeq);
  }
}

/** The lines of an operation; null for a look at a queue that has none. */
function* linesOf(
  { queues }: JobStore,
  { action, queue: name, key }: BulkOperation,
): Generator<Line | null> {
  // Lines that are made later hold only jobs that came to their state later.
  const madeMax = queues.linesMade;
  const one = name === null ? undefined : queues.find(name);
  const concerned = name === null ? queues.all() : one === undefined ? [] : [one];
  for (const queue of concerned) {
    if (action === 'purge') yield* waitingLines(queue, madeMax);
    else {
      const home = action === 'signal' ? queue.parked : queue.dead;
      if (key === null) yield* older(home, madeMax);
      else yield home.get(key) ?? null;
    }
  }
}

/** In this order, so that a job that becomes ready meanwhile is met all the same. */
function* waitingLines(queue: NamedQueue, madeMax: number): Generator<Line> {
  yield queue.delayed;
  yield* older(queue.parked, madeMax);
  for (const { line } of queue.ready) yield line;
}

/** Lines are kept in the order in which they were made. */
function* older(lines: ReadonlyMap<string, Line>, madeMax: number): Generator<Line> {
  for (const line of lines.values()) {
    if (line.madeAs >= madeMax) return;
    yield line;
  }
}
