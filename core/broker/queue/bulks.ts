/**
 * Bulk operations: what concerns more jobs than one event may touch. Begin, every step and the end
 * are logged, so that an operation goes on after a restart and its progress can be asked for.
 */

import type { RecordOf } from './records.ts';

export interface BulkOperation extends Omit<RecordOf<'bulkStarted'>, 'nextSeq' | 'touched'> {
  touched: number;
  /** What lies before is not looked at again: a job that was brought back may have died since. */
  nextSeq: number;
  done: boolean;
}

/** How many ended operations can still be asked about. */
const endedMax = 100;
/** Bytes of an operation's `bulkStarted` and `bulkEnded` records, what it names aside. */
const recordsBytes = 96;

export class BulkStore {
  readonly #all: Map<number, BulkOperation> = new Map();
  /** The number of the newest operation. */
  newest = 0;
  #restateBytes = 0;

  /** No fewer bytes than `restate` brings to the log. */
  get restateBytes(): number {
    return this.#restateBytes;
  }

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
    const known = this.#all.get(record.bulk);
    // Compaction says it again while it goes on.
    if (known !== undefined) return;
    this.#all.set(record.bulk, { ...record, done: false });
    this.#restateBytes += bytesOf(record);
  }

  step({ bulk, touched, nextSeq }: RecordOf<'bulkStepped'>): void {
    const operation = this.#all.get(bulk);
    if (operation === undefined) return;
    operation.touched = touched;
    operation.nextSeq = nextSeq;
  }

  end(bulk: number): void {
    const operation = this.#all.get(bulk);
    if (operation !== undefined) operation.done = true;
    if (this.#all.size <= endedMax) return;
    for (const old of this.#all.values()) {
      if (!old.done) continue;
      this.#all.delete(old.bulk);
      this.#restateBytes -= bytesOf(old);
      return;
    }
  }

  /** The records that say all operations again: of ended ones too, so that no number comes twice. */
  *restate(): Iterable<RecordOf<'bulkStarted'> | RecordOf<'bulkEnded'>> {
    for (const { done, ...record } of this.#all.values()) {
      yield record;
      if (done) yield { kind: 'bulkEnded', bulk: record.bulk };
    }
  }
}

function bytesOf({ queue, key }: Pick<BulkOperation, 'queue' | 'key'>): number {
  return recordsBytes + (queue?.length ?? 0) + (key?.length ?? 0);
}
