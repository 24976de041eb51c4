/**
 * Bulk operations: what concerns more jobs than one event may touch. Begin, every step and the end
 * are logged, so that an operation goes on after a restart and its progress can be asked for.
 */

import type { RecordOf } from './records.ts';

export type BulkOperation = RecordOf<'bulkStarted'> & {
  done: boolean;
  /** Where the walk over all jobs goes on; found anew after a restart, because it only saves looks. */
  nextSeq: number;
};

/** How many ended operations can still be asked about. */
const endedMax = 100;

export class BulkStore {
  readonly #all: Map<number, BulkOperation> = new Map();
  /** The number of the newest operation. */
  newest = 0;

  get(bulk: number): BulkOperation | undefined {
    return this.#all.get(bulk);
  }

  get activeCount(): number {
    let count = 0;
    for (const { done } of this.#all.values()) if (!done) count++;
    return count;
  }

  /** The oldest operation that is not done. */
  active(): BulkOperation | undefined {
    for (const operation of this.#all.values()) if (!operation.done) return operation;
    return undefined;
  }

  start(record: RecordOf<'bulkStarted'>): void {
    this.newest = Math.max(this.newest, record.bulk);
    this.#all.set(record.bulk, { ...record, done: false, nextSeq: 1 });
  }

  step({ bulk, touched }: RecordOf<'bulkStepped'>): void {
    const operation = this.#all.get(bulk);
    if (operation !== undefined) operation.touched = touched;
  }

  end(bulk: number): void {
    const operation = this.#all.get(bulk);
    if (operation !== undefined) operation.done = true;
    if (this.#all.size <= endedMax) return;
    for (const { bulk: number, done } of this.#all.values()) {
      if (!done) continue;
      this.#all.delete(number);
      return;
    }
  }

  /** The records that say the unfinished operations again. */
  *restate(): Iterable<RecordOf<'bulkStarted'>> {
    for (const { done, nextSeq: _, ...record } of this.#all.values()) if (!done) yield record;
  }
}
