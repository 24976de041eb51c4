/**
 * Batches: jobs that were enqueued together, by name. Their counts follow from the jobs, live and on replay;
 * what stopped one is in records of its own.
 */

import type { BatchOutcomes } from '../../../gate/index.ts';
import type { JobState } from '../../../protocol/index.ts';
import type { RecordOf } from '../records/records.ts';
import type { JobEntry } from './job-entry.ts';
import { noJobs } from './named-queue.ts';

type Terms = RecordOf<'batchSet'>;

export interface Batch {
  terms: Terms;
  /** It has a record of its own. */
  isSet: boolean;
  readonly counts: Record<JobState, number>;
  /** Jobs that are done, or have failed an attempt; and of those, the ones that are not done. */
  tried: number;
  failed: number;
  /** The cause of all failures; null before the first one, and where there are several. */
  cause: string | null;
}

/** A batch gets its jobs at once; one that was emptied, or got none, is kept for so long. */
const unusedMs = 3_600_000;
/** Bytes of a `batchSet` record with its frame, texts aside. */
const recordBytes = 64;

export class BatchStore {
  readonly #batches: Map<string, Batch> = new Map();
  /** By row. */
  readonly #nameOf: Map<number, string> = new Map();
  readonly #tried: Set<number> = new Set();
  readonly #failed: Set<number> = new Set();
  /** Names of batches with a record and without a job: all of them are among these, some others too. */
  readonly #empty: Set<string> = new Set();
  /** The highest number that is a batch's name. */
  newest = 0;

  get(name: string): Batch | undefined {
    return this.#batches.get(name);
  }

  /** The oldest first. */
  all(): Iterable<Batch> {
    return this.#batches.values();
  }

  get size(): number {
    return this.#batches.size;
  }

  /** Empty for a job that is in none. */
  nameOf(slot: number): string {
    return this.#nameOf.get(slot) ?? '';
  }

  /** What counts for its rule. */
  outcomesOf({ terms, tried, failed, cause }: Batch): BatchOutcomes {
    return { tried: tried - terms.tried, failed: failed - terms.failed, cause };
  }

  /** A new job, in no state yet. */
  join(slot: number, name: string): void {
    this.#nameOf.set(slot, name);
    const batch = this.#batches.get(name) ?? this.#add(plainBatch(name));
    batch.counts.none++;
  }

  set(terms: Terms): void {
    const batch = this.#batches.get(terms.name) ?? this.#add(terms);
    batch.isSet = true;
    if (isEmpty(batch)) this.#empty.add(terms.name);
    if (/^[1-9]\d{0,14}$/.test(terms.name)) this.newest = Math.max(this.newest, Number(terms.name));
    // Another cause may follow once it goes on.
    if (batch.terms.stopped !== null && terms.stopped === null) batch.cause = null;
    batch.terms = terms;
  }

  /** An attempt at the job failed. */
  fails(slot: number, cause: string): void {
    const batch = this.#batches.get(this.nameOf(slot));
    if (batch === undefined) return;
    const isFirst = this.outcomesOf(batch).failed === 0;
    if (isFirst) batch.cause = cause;
    else if (batch.cause !== cause) batch.cause = null;
  }

  /** The job came to its state, with its attempts as they are. */
  moved(job: JobEntry, from: JobState): void {
    const { slot, state, attempts } = job;
    const batch = this.#batches.get(this.nameOf(slot));
    if (batch === undefined) return;
    batch.counts[from]--;
    batch.counts[state]++;
    batch.tried += mark(this.#tried, slot, attempts > 0 || state === 'done');
    const isOver = state === 'done' || state === 'cancelled';
    batch.failed += mark(this.#failed, slot, attempts > 0 && !isOver);
  }

  /** The job is forgotten, and its row will be another's. */
  forget(slot: number, state: JobState): void {
    const name = this.nameOf(slot);
    const batch = this.#batches.get(name);
    if (batch === undefined) return;
    this.#nameOf.delete(slot);
    batch.counts[state]--;
    batch.tried += mark(this.#tried, slot, false);
    batch.failed += mark(this.#failed, slot, false);
    if (!isEmpty(batch)) return;
    if (batch.isSet) this.#empty.add(name);
    else this.#batches.delete(name);
  }

  /**
   * Batches that have no job, and have not for so long that none is on its way. The newest stays, so that no
   * number is given twice.
   */
  unused(nowMs: number): string[] {
    return [...this.#empty].filter((name) => {
      const batch = this.#batches.get(name);
      if (batch === undefined || !isEmpty(batch)) {
        this.#empty.delete(name);
        return false;
      }
      return name !== `${this.newest}` && nowMs - batch.terms.atMs >= unusedMs;
    });
  }

  /** Jobs that have come since are in a new batch of that name. */
  drop(name: string): void {
    const batch = this.#batches.get(name);
    if (batch === undefined) return;
    if (isEmpty(batch)) this.#batches.delete(name);
    else batch.isSet = false;
  }

  /** Upper bound of the bytes that `rewriteRecords` adds to the log. */
  get rewriteBytes(): number {
    let bytes = 0;
    for (const { terms, isSet } of this.#batches.values()) {
      if (!isSet) continue;
      bytes +=
        recordBytes +
        3 * (terms.name.length + terms.stopRule.length + (terms.stopped?.length ?? 0));
    }
    return bytes;
  }

  *rewriteRecords(): Generator<RecordOf<'batchSet'>> {
    for (const { terms, isSet } of this.#batches.values()) if (isSet) yield terms;
  }

  #add(terms: Terms): Batch {
    const counts = { ...noJobs };
    const batch = { terms, isSet: false, counts, tried: 0, failed: 0, cause: null };
    this.#batches.set(terms.name, batch);
    return batch;
  }
}

/** A batch that nothing was said of. */
export function plainBatch(name: string): Terms {
  const none = { stopRule: '', stopped: null, tried: 0, failed: 0, atMs: 0 };
  return { kind: 'batchSet', name, ...none };
}

function isEmpty({ counts }: Batch): boolean {
  return Object.values(counts).every((count) => count === 0);
}

/** By how much the count of marked rows changes. */
function mark(marked: Set<number>, slot: number, is: boolean): number {
  if (marked.has(slot) === is) return 0;
  if (is) marked.add(slot);
  else marked.delete(slot);
  return is ? 1 : -1;
}
