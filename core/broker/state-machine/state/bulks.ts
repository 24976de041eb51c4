/**
 * Bulk operations: changes of more jobs than one event may touch. Begin, every step and the end are
 * logged, so that an operation continues after a restart and its progress can be asked for.
 */

import type { RecordOf } from '../records/records.ts';

export interface BulkOperation extends Omit<RecordOf<'bulkStarted'>, 'nextSeq' | 'touched'> {
  touched: number;
  /** Of jobs that came to their state when it began, those before were touched; see `BulkWalk`. */
  nextSeq: number;
  done: boolean;
}

/** How many ended operations can still be asked about. */
const endedMax = 100;
/** Bytes of an operation's `bulkStarted` and `bulkEnded` records, what it names aside. */
const recordsBytes = 96;

export class BulkStore {
  readonly #active: Map<number, BulkOperation> = new Map();
  /** The first that ended first. */
  readonly #ended: Map<number, BulkOperation> = new Map();
  #rewriteBytes = 0;
  /** The number of the newest operation. */
  newest = 0;

  get(bulk: number): BulkOperation | undefined {
    return this.#active.get(bulk) ?? this.#ended.get(bulk);
  }

  get activeCount(): number {
    return this.#active.size;
  }

  /** Those that are not done, the oldest first. */
  active(): Iterable<BulkOperation> {
    return this.#active.values();
  }

  /** Upper bound of the bytes that `rewriteRecords` adds to the log. */
  get rewriteBytes(): number {
    return this.#rewriteBytes;
  }

  start(record: RecordOf<'bulkStarted'>): void {
    this.newest = Math.max(this.newest, record.bulk);
    // Compaction rewrites it while it is active.
    if (this.get(record.bulk) !== undefined) return;
    this.#active.set(record.bulk, { ...record, done: false });
    this.#rewriteBytes += bytesOf(record);
  }

  step({ bulk, touched, nextSeq }: RecordOf<'bulkStepped'>): void {
    const operation = this.#active.get(bulk);
    if (operation === undefined) return;
    operation.touched = touched;
    operation.nextSeq = nextSeq;
  }

  end(bulk: number): void {
    const operation = this.#active.get(bulk);
    if (operation === undefined) return;
    operation.done = true;
    this.#active.delete(bulk);
    this.#ended.set(bulk, operation);
    for (const oldest of this.#ended.values()) {
      if (this.#ended.size <= endedMax) break;
      this.#ended.delete(oldest.bulk);
      this.#rewriteBytes -= bytesOf(oldest);
    }
  }

  /**
   * The records that rewrite all operations: ended ones too, so that no number is given twice. Active
   * ones come first: one that ends before all are rewritten is among the ended ones then.
   */
  *rewriteRecords(): Iterable<RecordOf<'bulkStarted'> | RecordOf<'bulkEnded'>> {
    yield* this.#active.values();
    for (const operation of this.#ended.values()) {
      yield operation;
      yield { kind: 'bulkEnded', bulk: operation.bulk };
    }
  }
}

function bytesOf({ queue, key }: Pick<BulkOperation, 'queue' | 'key'>): number {
  return recordsBytes + (queue?.length ?? 0) + (key?.length ?? 0);
}
