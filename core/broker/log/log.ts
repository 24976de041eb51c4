/**
 * The writer: buffers records, commits them in groups with one write and one fdatasync in flight,
 * changes segments, and marks what became durable. After its first error it does nothing more: a
 * second fdatasync could claim success for pages that the kernel dropped.
 */

import { setImmediate as afterThisTick } from 'node:timers/promises';
import { Batch, batchPayloadBytesTarget } from './batch.ts';
import type { Log, LogOptions } from './contract.ts';
import { type Disk, type DiskFile, placeFile, writeAll } from './disk.ts';
import {
  type BatchKind,
  encodeSegmentHeader,
  type LogCursor,
  recordBytesMax,
  recordLengthBytes,
  segmentHeaderBytes,
  segmentName,
} from './format.ts';

export interface SegmentLogOptions extends LogOptions {
  readonly disk: Disk;
  readonly markIdleMs: number;
  /** The last segment, open and durable up to `segmentBytes`. */
  readonly file: DiskFile;
  readonly segmentBytes: number;
  /** Bytes of the segments before it. */
  readonly sealedBytes: number;
  readonly cursor: LogCursor;
}

/** Emptied batches kept for reuse: one fills while others are written. */
const spareBatchesMax = 4;

export class SegmentLog implements Log {
  readonly #options: SegmentLogOptions;
  #file: DiskFile;
  #cursor: LogCursor;
  #segmentBytes: number;
  #sealedBytes: number;
  #endOffset: number;
  #durableOffset: number;
  /** Batches not yet given to the disk, oldest first; the last one may still be filling. */
  #pending: Batch[] = [];
  #spare: Batch[] = [];
  #lastKind: BatchKind = 'mark';
  /** Commits under way; null when there is nothing to commit. */
  #committing: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #failure: Error | null = null;
  #markTimer: NodeJS.Timeout | null = null;

  constructor(options: SegmentLogOptions) {
    this.#options = options;
    this.#file = options.file;
    this.#cursor = options.cursor;
    this.#segmentBytes = options.segmentBytes;
    this.#sealedBytes = options.sealedBytes;
    this.#endOffset = options.cursor.nextOffset - 1;
    this.#durableOffset = this.#endOffset;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get durableOffset(): number {
    return this.#durableOffset;
  }

  get bytes(): number {
    return this.#sealedBytes + this.#segmentBytes;
  }

  /**
   * @throws Error after a failure or `close`
   * @throws RangeError when the record is too large
   */
  append(record: Uint8Array): number {
    if (this.#failure !== null) {
      throw new Error('the log failed and takes nothing more', { cause: this.#failure });
    }
    if (this.#closing !== null) throw new Error('the log is closed and takes nothing more');
    if (record.length > recordBytesMax) {
      throw new RangeError(
        `a record of ${record.length} bytes is too large for the log (at most ${recordBytesMax})`,
      );
    }
    this.#batchFor(record.length).add(record);
    this.#endOffset += 1;
    void this.#commitSoon();
    return this.#endOffset;
  }

  /**
   * May be called again; every call gives the same promise.
   * @throws Error when the log failed, before or while closing: it is not closed cleanly then
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #batchFor(recordBytes: number): Batch {
    const filling = this.#pending.at(-1);
    if (filling?.fits(recordBytes) === true) return filling;
    const needed = recordLengthBytes + recordBytes;
    const batch =
      needed <= batchPayloadBytesTarget
        ? (this.#spare.pop() ?? new Batch('records', batchPayloadBytesTarget))
        : new Batch('records', needed);
    this.#pending.push(batch);
    return batch;
  }

  #commitSoon(): Promise<void> {
    this.#committing ??= this.#commitPending();
    return this.#committing;
  }

  /** Commits until nothing is pending. Starts when this round of I/O events has been handled. */
  async #commitPending(): Promise<void> {
    await afterThisTick();
    if (this.#markTimer !== null) clearTimeout(this.#markTimer);
    try {
      while (this.#pending.length > 0) await this.#commit();
      this.#markWhenIdle();
    } catch (error) {
      this.#fail(error);
    }
    this.#committing = null;
  }

  /** One group: as many batches as this segment takes, one write, one fdatasync. */
  async #commit(): Promise<void> {
    if (this.#segmentIsFull()) await this.#startSegment();
    const batches = this.#takeBatches();
    // One header after another; none of them may claim what this same commit makes durable.
    const durable = { offset: this.#durableOffset, sequence: this.#cursor.nextSequence - 1 };
    const content: Uint8Array[] = [];
    for (const batch of batches) {
      const sealed = batch.seal(this.#cursor, durable);
      this.#cursor = sealed.cursor;
      this.#lastKind = batch.kind;
      content.push(sealed.bytes);
    }
    const durableOffset = this.#cursor.nextOffset - 1;
    const written = await writeAll(this.#file, content, this.#segmentBytes);
    await this.#file.datasync();
    this.#segmentBytes += written;
    this.#recycle(batches);
    if (durableOffset === this.#durableOffset) return;
    this.#durableOffset = durableOffset;
    this.#options.onDurable(durableOffset);
  }

  /** A segment holds at least one batch, however small the limit. */
  #segmentIsFull(): boolean {
    const next = this.#pending[0];
    return (
      next !== undefined &&
      this.#segmentBytes > segmentHeaderBytes &&
      this.#segmentBytes + next.bytes > this.#options.segmentBytesMax
    );
  }

  #takeBatches(): Batch[] {
    let room = this.#options.segmentBytesMax - this.#segmentBytes;
    let count = 0;
    for (const batch of this.#pending) {
      if (count > 0 && batch.bytes > room) break;
      room -= batch.bytes;
      count += 1;
    }
    return this.#pending.splice(0, count);
  }

  /** Everything before is durable here: a segment's existence proves the one before it complete. */
  async #startSegment(): Promise<void> {
    const { disk, dir } = this.#options;
    const { header, cursor } = encodeSegmentHeader(this.#cursor, this.#cursor.segment + 1);
    const file = await placeFile(disk, dir, segmentName(cursor.segment), [header]);
    const full = this.#file;
    this.#file = file;
    this.#cursor = cursor;
    this.#sealedBytes += this.#segmentBytes;
    this.#segmentBytes = header.length;
    await full.close();
  }

  #recycle(batches: readonly Batch[]): void {
    for (const batch of batches) {
      if (!batch.reusable || this.#spare.length === spareBatchesMax) continue;
      batch.clear();
      this.#spare.push(batch);
    }
  }

  /** The last group becomes provably durable only through a header written after it. */
  #markWhenIdle(): void {
    if (this.#lastKind !== 'records' || this.#closing !== null) return;
    this.#markTimer = setTimeout(() => {
      if (this.#committing === null && this.#closing === null) void this.#mark('mark');
    }, this.#options.markIdleMs);
    this.#markTimer.unref();
  }

  #mark(kind: 'mark' | 'cleanMark'): Promise<void> {
    this.#pending.push(new Batch(kind, 0));
    return this.#commitSoon();
  }

  async #shutDown(): Promise<void> {
    // The clean mark says that all before it is durable, so it cannot ride the same commit.
    await this.#commitSoon();
    if (this.#failure === null) await this.#mark('cleanMark');
    try {
      await this.#file.close();
    } catch (error) {
      this.#fail(error);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#pending = [];
    this.#spare = [];
    this.#options.onFailure(this.#failure);
  }
}
