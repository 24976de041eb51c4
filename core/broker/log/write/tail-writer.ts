/** Writes batches to the last segment and begins the next one. One operation runs at a time. */

import type { SealedSegment } from '../contract.ts';
import { createFile, type Disk, type DiskFile, writeAll } from '../disk/disk.ts';
import { BatchIndex } from '../format/batch-index.ts';
import {
  encodeSegmentHeader,
  type LogCursor,
  segmentHeaderBytes,
  segmentName,
} from '../format/format.ts';
import type { ProvenEnd } from '../format/proven-end.ts';
import { type SegmentTable, TailSegment } from '../segments.ts';
import type { Batch, DurablePoint } from './batch.ts';

export interface TailWriterOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly segmentBytesMax: number;
  readonly segments: SegmentTable;
  /** The last segment, open and durable, with the cursor at its end. */
  readonly file: DiskFile;
  readonly cursor: LogCursor;
}

export class TailWriter {
  readonly #options: TailWriterOptions;
  #file: DiskFile;
  #cursor: LogCursor;

  constructor(options: TailWriterOptions) {
    this.#options = options;
    this.#file = options.file;
    this.#cursor = options.cursor;
  }

  /** Bytes left in the segment. */
  get room(): number {
    return this.#options.segmentBytesMax - this.#options.segments.tail.bytes;
  }

  /** Whether `next` needs a new segment. A segment holds at least one batch, however small the limit. */
  isFullFor(next: Batch): boolean {
    return this.#options.segments.tail.bytes > segmentHeaderBytes && next.bytes > this.room;
  }

  /** Writes the batches and makes them durable. */
  async write(batches: readonly Batch[]): Promise<void> {
    const { tail } = this.#options.segments;
    // No header may claim as durable what this same commit makes durable.
    const durable = durablePoint(this.#cursor);
    const places: { batch: Batch; headerCrc: number }[] = [];
    const content: Uint8Array[] = [];
    for (const batch of batches) {
      const { bytes, cursor, headerCrc } = batch.seal(this.#cursor, durable);
      this.#cursor = cursor;
      content.push(bytes);
      places.push({ batch, headerCrc });
    }
    await writeAll(this.#file, content, tail.bytes);
    await this.#file.datasync();
    for (const { batch, headerCrc } of places) {
      if (batch.kind === 'records') tail.index.add(batch.firstOffset, tail.bytes, headerCrc);
      tail.bytes += batch.bytes;
      tail.lastOffset += batch.recordCount;
    }
  }

  /**
   * Creates the next segment and returns the sealed one. The existence of a segment proves the one
   * before it complete: everything is durable here. An existing file of that name is not replaced.
   */
  async rotate(): Promise<SealedSegment> {
    const { disk, dir, segments } = this.#options;
    const before = this.#cursor;
    const { header, cursor } = encodeSegmentHeader(before, before.segment + 1);
    const file = await createFile(disk, dir, segmentName(cursor.segment), [header]);
    const full = this.#file;
    this.#file = file;
    this.#cursor = cursor;
    const sealed = segments.rotate(before, newTailSegment(before, cursor));
    await full.close();
    return sealed;
  }

  /** The durable end, while no operation is in progress. */
  get end(): ProvenEnd {
    const { number, bytes, lastOffset } = this.#options.segments.tail;
    return { logId: this.#cursor.logId, segment: number, bytes, offset: lastOffset };
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The point of a cursor. */
export function durablePoint(cursor: LogCursor): DurablePoint {
  return { offset: cursor.nextOffset - 1, sequence: cursor.nextSequence - 1 };
}

function newTailSegment(before: LogCursor, { segment, nextOffset }: LogCursor): TailSegment {
  return new TailSegment({
    number: segment,
    before,
    firstOffset: nextOffset,
    lastOffset: nextOffset - 1,
    bytes: segmentHeaderBytes,
    index: new BatchIndex(nextOffset),
  });
}
