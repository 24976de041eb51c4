/**
 * The journals of jobs: the response of a call, written once, so that a job that runs again does not
 * pay again. The store has the offset of each entry in the log. `apply` and `drop` are the only
 * paths by which it changes, live and on replay; it decides nothing.
 */

import type { RecordOf } from '../records/records.ts';
import { hexOf } from '../table/hex.ts';
import { type Logged, OffsetOrder } from '../table/offset-order.ts';
import type { BlobReferences } from './blobs.ts';

export interface JournalEntry extends Logged<JournalEntry> {
  /** Hash of the call, as text. */
  readonly callHash: string;
  /** Hash of the blob that holds the value; null when the record holds it. */
  readonly blob: Uint8Array | null;
}

/** The entries of one job. They are few: a list is smaller than a map and as fast. */
interface Journal {
  readonly entries: JournalEntry[];
  /** Sum over the blobs; what is inline is bounded by the number of entries. */
  blobBytes: number;
}

/** What a `journaled` record has beside an inline value, with its frame. */
const entryBytes = 144;

export class JournalStore {
  readonly #blobs: BlobReferences;
  readonly #journals: Map<string, Journal> = new Map();
  readonly #order: OffsetOrder<JournalEntry> = new OffsetOrder();

  constructor(blobs: BlobReferences) {
    this.#blobs = blobs;
  }

  /** Bytes of the log that the entries need, blobs aside. */
  get logBytes(): number {
    return this.#order.logBytes;
  }

  /** Entries of all jobs. */
  get entryCount(): number {
    return this.#order.size;
  }

  entryCountOf(job: string): number {
    return this.#journals.get(job)?.entries.length ?? 0;
  }

  /** Bytes of the job's values that are blobs. */
  blobBytesOf(job: string): number {
    return this.#journals.get(job)?.blobBytes ?? 0;
  }

  find(job: string, callHash: Uint8Array): JournalEntry | undefined {
    const key = hexOf(callHash);
    return this.#journals.get(job)?.entries.find((entry) => entry.callHash === key);
  }

  apply(record: RecordOf<'journaled'>, offset: number): void {
    const { id, callHash, value } = record;
    let entry = this.find(id, callHash);
    if (entry === undefined) {
      entry = this.#newEntry(record);
      const journal = this.#journalOf(id);
      journal.entries.push(entry);
      journal.blobBytes += value.blob?.totalBytes ?? 0;
    }
    this.#order.place(entry, offset);
  }

  /** The job needs its journal no more: it is done, cancelled or forgotten. */
  drop(job: string): void {
    for (const entry of this.#journals.get(job)?.entries ?? []) {
      this.#order.remove(entry);
      if (entry.blob !== null) this.#blobs.dropRef(entry.blob);
    }
    this.#journals.delete(job);
  }

  /**
   * Drops the journals of jobs that do not run again. The log may hold entries of a job whose other
   * records compaction dropped.
   */
  afterReplay(runsAgain: (job: string) => boolean): void {
    for (const job of this.#journals.keys()) {
      if (!runsAgain(job)) this.drop(job);
    }
  }

  /** All entries in the order of the log. */
  get logOrder(): OffsetOrder<JournalEntry> {
    return this.#order;
  }

  /** True when the record at `offset` is the one that holds this entry: only that one is rewritten. */
  isCurrent({ id, callHash }: RecordOf<'journaled'>, offset: number): boolean {
    return this.find(id, callHash)?.offset === offset;
  }

  #newEntry({ callHash, value, inlineBytes }: RecordOf<'journaled'>): JournalEntry {
    // A copy: the hash lies in a buffer that holds much more.
    const blob = value.blob === null ? null : new Uint8Array(value.blob.sha256);
    if (blob !== null) this.#blobs.addRef(blob);
    const logBytes = entryBytes + inlineBytes;
    return { callHash: hexOf(callHash), blob, logBytes, offset: 0, older: null, newer: null };
  }

  #journalOf(job: string): Journal {
    let journal = this.#journals.get(job);
    if (journal === undefined) {
      journal = { entries: [], blobBytes: 0 };
      this.#journals.set(job, journal);
    }
    return journal;
  }
}
