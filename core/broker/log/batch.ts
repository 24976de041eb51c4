/**
 * One batch while it fills: records are copied straight to their place in the bytes that will be
 * written, and the header is put in front of them when the commit begins.
 */

import { crc32 } from 'node:zlib';
import { BatchRecords } from './batch-records.ts';
import {
  advance,
  type BatchKind,
  batchFrameBytes,
  batchHeaderBytes,
  batchTrailer,
  encodeBatchHeader,
  encodeLogStart,
  type LogCursor,
  type LogStart,
  recordLengthBytes,
} from './format.ts';

/**
 * Batches are cut near this payload size: a record that is read back costs reading one batch, and
 * one commit writes many of them.
 */
export const batchPayloadBytesTarget = 128 * 1024;

/** What is known durable while a header is built. */
export interface DurablePoint {
  readonly offset: number;
  readonly sequence: number;
}

/** A batch as it goes to the disk. */
export interface SealedBatch {
  /** Not a copy. */
  readonly bytes: Uint8Array;
  readonly cursor: LogCursor;
  readonly headerCrc: number;
}

export class Batch {
  readonly kind: BatchKind;
  /** Offset of its first record; of the next one where it holds none. */
  readonly firstOffset: number;
  readonly #buffer: Buffer;
  readonly #records: BatchRecords;
  readonly #floor: LogStart | undefined;
  #end = batchHeaderBytes;
  #recordCount = 0;

  constructor(kind: BatchKind, firstOffset: number, buffer: Buffer, floor?: LogStart) {
    this.kind = kind;
    this.firstOffset = firstOffset;
    this.#buffer = buffer;
    this.#floor = floor;
    this.#records = new BatchRecords(
      firstOffset,
      buffer.subarray(batchHeaderBytes, buffer.length - batchTrailer.length),
    );
  }

  /** An empty batch for records. */
  static ofRecords(firstOffset: number, buffer: Buffer): Batch {
    return new Batch('records', firstOffset, buffer);
  }

  /** A batch that says something by being there. */
  static mark(kind: 'mark' | 'cleanMark', nextOffset: number): Batch {
    return new Batch(kind, nextOffset, Buffer.alloc(batchFrameBytes));
  }

  /** A batch that states a floor. */
  static floor(floor: Omit<LogStart, 'writtenAt'>, nextOffset: number): Batch {
    const stated = { ...floor, writtenAt: nextOffset - 1 };
    const payload = encodeLogStart(stated);
    const buffer = Buffer.alloc(batchFrameBytes + payload.length);
    const batch = new Batch('floor', nextOffset, buffer, stated);
    buffer.set(payload, batchHeaderBytes);
    batch.#end += payload.length;
    return batch;
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Size on disk, with header and trailer. */
  get bytes(): number {
    return this.#end + batchTrailer.length;
  }

  fits(recordBytes: number): boolean {
    const needed = this.bytes + recordLengthBytes + recordBytes;
    return this.kind === 'records' && needed <= this.#buffer.length;
  }

  add(record: Uint8Array): void {
    const at = this.#buffer.writeUInt32BE(record.length, this.#end);
    this.#buffer.set(record, at);
    this.#end = at + record.length;
    this.#recordCount += 1;
  }

  /** A view of a record in it. */
  record(offset: number): Uint8Array {
    return this.#records.record(offset);
  }

  /** Writes header and trailer; returns the bytes and the cursor after them. */
  seal(cursor: LogCursor, durable: DurablePoint): SealedBatch {
    const payload = this.#buffer.subarray(batchHeaderBytes, this.#end);
    const headerCrc = encodeBatchHeader(
      this.#buffer,
      {
        kind: this.kind,
        payloadBytes: payload.length,
        recordCount: this.#recordCount,
        sequence: cursor.nextSequence,
        firstOffset: cursor.nextOffset,
        durableUpTo: durable.offset,
        durableSequence: durable.sequence,
        payloadCrc: crc32(payload),
        chain: cursor.chain,
      },
      cursor.logId,
    );
    this.#buffer.set(batchTrailer, this.#end);
    const header = { recordCount: this.#recordCount, headerCrc };
    return {
      bytes: this.#buffer.subarray(0, this.bytes),
      cursor: advance(cursor, header, this.#floor),
      headerCrc,
    };
  }

  /**
   * What is kept of a batch that was written. Records that fill little of a buffer are copied out
   * of it, so that it can be used again at once.
   */
  release(): { kept: KeptBatch; buffer: Buffer | null } {
    const payload = this.#buffer.subarray(batchHeaderBytes, this.#end);
    if (this.#records.lent || payload.length * 2 > this.#buffer.length) {
      const kept = { records: this.#records, heldBytes: this.#buffer.length, buffer: this.#buffer };
      return { kept, buffer: null };
    }
    const records = new BatchRecords(this.firstOffset, Buffer.from(payload));
    const kept = { records, heldBytes: payload.length, buffer: null };
    return { kept, buffer: this.#buffer };
  }
}

/** The records of a batch in memory. */
export interface KeptBatch {
  readonly records: BatchRecords;
  readonly heldBytes: number;
  /** Can be used again when nobody keeps the records, and nobody holds a view of them. */
  readonly buffer: Buffer | null;
}

/** Of the usual size of a batch's buffer. */
export const batchBufferBytes: number = batchFrameBytes + batchPayloadBytesTarget;

/** What a batch needs that holds one record of this size. */
export function bufferBytesFor(recordBytes: number): number {
  return Math.max(batchBufferBytes, batchFrameBytes + recordLengthBytes + recordBytes);
}
