/**
 * Blobs: content by its SHA-256, kept as chunks in the log. The store knows where each chunk lies,
 * how many references a blob has and which ones have none. `apply`, `addRef` and `dropRef` are the
 * only paths by which it changes, live and on replay; it decides nothing.
 */

import type { BlobRef } from '../../../protocol/index.ts';
import type { RecordOf } from '../records/records.ts';
import { hashBytes, hexOf } from '../table/hex.ts';
import { IdleTimeouts } from '../table/idle-timeouts.ts';
import { type Logged, OffsetOrder } from '../table/offset-order.ts';

/** How long a blob that nothing refers to is kept, and an upload without progress. */
export const blobIdleMs: number = 3600 * 1000;

/** What a `blobChunk` record has beside the chunk, with its frame. */
const chunkOverheadBytes = 96;
/** Bytes of a `blobStored` record with its frame. */
const storedBytes = 64;

/** Part of a blob, from byte `at` on. */
export interface Chunk extends Logged<Chunk> {
  readonly at: number;
  readonly bytes: number;
}

export interface BlobEntry {
  /** The hash as text. */
  readonly key: string;
  readonly sha256: Uint8Array;
  readonly totalBytes: number;
  /** In order of `at`. */
  readonly chunks: Chunk[];
  /** End of the last chunk. */
  endBytes: number;
  /** When it was complete; null while it is an upload. */
  storedAtMs: number | null;
}

export type BlobRecord = RecordOf<'blobChunk'> | RecordOf<'blobStored'> | RecordOf<'blobDropped'>;

/** To be called when something begins or ceases to refer to a blob. */
export type BlobReferences = Pick<BlobStore, 'addRef' | 'dropRef'>;

export class BlobStore {
  /** Blobs to which nothing refers, by their hash as text. */
  readonly unreferenced: IdleTimeouts = new IdleTimeouts(blobIdleMs);
  readonly #blobs: Map<string, BlobEntry> = new Map();
  readonly #references: Map<string, number> = new Map();
  readonly #order: OffsetOrder<Chunk> = new OffsetOrder();
  #announcedBytes = 0;
  #storedCount = 0;

  find(sha256: Uint8Array): BlobEntry | undefined {
    return this.#blobs.get(hexOf(sha256));
  }

  byKey(key: string): BlobEntry | undefined {
    return this.#blobs.get(key);
  }

  /** True when all bytes of the blob are there, so that a job or an entry may refer to it. */
  isStored({ sha256, totalBytes }: BlobRef): boolean {
    const blob = sha256.length === hashBytes ? this.find(sha256) : undefined;
    return blob !== undefined && blob.storedAtMs !== null && blob.totalBytes === totalBytes;
  }

  get count(): number {
    return this.#blobs.size;
  }

  /** Bytes of all blobs; an upload counts with all that it announced. */
  get bytes(): number {
    return this.#announcedBytes;
  }

  /** Bytes of the log that the chunks need. */
  get logBytes(): number {
    return this.#order.logBytes;
  }

  /** Upper bound of the bytes that `rewriteRecords` adds to the log. */
  get rewriteBytes(): number {
    return this.#storedCount * storedBytes;
  }

  /** All chunks in the order of the log. */
  get logOrder(): OffsetOrder<Chunk> {
    return this.#order;
  }

  /** Something refers to the blob from now on. On replay the blob itself may come later. */
  addRef(sha256: Uint8Array): void {
    const key = hexOf(sha256);
    this.#references.set(key, (this.#references.get(key) ?? 0) + 1);
    this.unreferenced.stop(key);
  }

  dropRef(sha256: Uint8Array): void {
    const key = hexOf(sha256);
    const count = this.#references.get(key) ?? 0;
    if (count === 0) throw new Error(`nothing refers to blob ${key}`);
    if (count > 1) {
      this.#references.set(key, count - 1);
      return;
    }
    this.#references.delete(key);
    const blob = this.#blobs.get(key);
    if (blob !== undefined && blob.storedAtMs !== null) this.unreferenced.renew(key);
  }

  apply(record: BlobRecord, offset: number): void {
    switch (record.kind) {
      case 'blobChunk':
        this.#addChunk(record, offset);
        break;
      case 'blobStored':
        this.#store(record);
        break;
      case 'blobDropped':
        this.#drop(hexOf(record.sha256));
        break;
    }
  }

  /** Where the chunks lie that cover `[from, to)`, in order. */
  covering({ chunks }: BlobEntry, from: number, to: number): Chunk[] {
    const first = firstFrom(chunks, from + 1) - 1;
    return chunks.slice(Math.max(0, first), firstFrom(chunks, to));
  }

  /** True when the record at `offset` is the one that holds this chunk: only that one is rewritten. */
  isCurrent({ sha256, at }: RecordOf<'blobChunk'>, offset: number): boolean {
    const chunks = this.find(sha256)?.chunks ?? [];
    const chunk = chunks[firstFrom(chunks, at)];
    return chunk?.at === at && chunk.offset === offset;
  }

  /** The records that rewrite which blobs are complete; their chunks are rewritten one by one. */
  *rewriteRecords(): Generator<RecordOf<'blobStored'>> {
    for (const { sha256, totalBytes, storedAtMs } of this.#blobs.values()) {
      if (storedAtMs !== null) yield { kind: 'blobStored', sha256, totalBytes, atMs: storedAtMs };
    }
  }

  /**
   * Uploads that a restart cut off: they are to be dropped, as the hash so far is not known.
   * @throws Error when a complete blob lacks bytes: a bug, or the log lost records
   */
  afterReplay(): BlobEntry[] {
    const uploads: BlobEntry[] = [];
    for (const blob of this.#blobs.values()) {
      if (blob.storedAtMs === null) uploads.push(blob);
      else assertWhole(blob);
    }
    return uploads;
  }

  #addChunk({ sha256, totalBytes, at, chunkBytes }: RecordOf<'blobChunk'>, offset: number): void {
    const blob = this.#entryOf(sha256, totalBytes);
    const index = firstFrom(blob.chunks, at);
    let entry = blob.chunks[index];
    if (entry?.at !== at) {
      const logBytes = chunkOverheadBytes + chunkBytes;
      entry = { at, bytes: chunkBytes, logBytes, offset: 0, older: null, newer: null };
      blob.chunks.splice(index, 0, entry);
      blob.endBytes = Math.max(blob.endBytes, at + chunkBytes);
    }
    this.#order.place(entry, offset);
  }

  #store({ sha256, totalBytes, atMs }: RecordOf<'blobStored'>): void {
    const blob = this.#entryOf(sha256, totalBytes);
    if (blob.storedAtMs === null && !this.#references.has(blob.key)) {
      this.unreferenced.renew(blob.key);
    }
    if (blob.storedAtMs === null) this.#storedCount++;
    blob.storedAtMs = atMs;
  }

  /** After a drop of old records the log may end a blob of which nothing is known. */
  #drop(key: string): void {
    const blob = this.#blobs.get(key);
    if (blob === undefined) return;
    for (const chunk of blob.chunks) this.#order.remove(chunk);
    this.#blobs.delete(key);
    if (blob.storedAtMs !== null) this.#storedCount--;
    this.#announcedBytes -= blob.totalBytes;
    this.unreferenced.stop(key);
  }

  #entryOf(sha256: Uint8Array, totalBytes: number): BlobEntry {
    const key = hexOf(sha256);
    let blob = this.#blobs.get(key);
    if (blob === undefined) {
      // A copy: the record lies in a buffer that holds much more.
      const own = new Uint8Array(sha256);
      blob = { key, sha256: own, totalBytes, chunks: [], endBytes: 0, storedAtMs: null };
      this.#blobs.set(key, blob);
      this.#announcedBytes += totalBytes;
    }
    return blob;
  }
}

/** Index of the first chunk that begins at `from` or behind it. */
function firstFrom(chunks: readonly Chunk[], from: number): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunks[middle]?.at ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The chunks must follow on one another from the first byte to the last. */
function assertWhole({ key, chunks, totalBytes }: BlobEntry): void {
  let covered = 0;
  for (const { at, bytes } of chunks) {
    if (at !== covered) break;
    covered += bytes;
  }
  if (covered !== totalBytes) throw new Error(`blob ${key} lacks bytes behind byte ${covered}`);
}
