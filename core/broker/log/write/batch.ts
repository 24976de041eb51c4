/**
 * A batch being filled: records are copied directly into the buffer that will be written, and the
 * header is filled in when the commit begins.
 */

import { crc32 } from 'node:zlib';
import {
  advance,
  type BatchKind,
  batchFrameBytes,
  batchHeaderBytes,
  batchTrailer,
  decodeLogStart,
  encodeBatchHeader,
  encodeLogStart,
  type LogCursor,
  type LogStart,
  recordLengthBytes,
} from '../format/format.ts';
import { BatchRecords } from './batch-records.ts';

/** Target size of a batch's payload: reading a record costs reading one batch. A commit may write many. */
export const batchPayloadBytesTarget = 128 * 1024;

/** The durable end of the log when a header is built. */
export interface DurablePoint {
  readonly offset: number;
  readonly sequence: number;
}

/** A batch without its header, which depends on its position in the log. */
export interface BatchContent {
  readonly kind: BatchKind;
  readonly payload: Uint8Array;
  readonly recordCount: number;
}

/** The encoded batch. */
export interface SealedBatch {
  /** A view of the batch's buffer. */
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
  #end = batchHeaderBytes;
  #recordCount = 0;

  constructor(kind: BatchKind, firstOffset: number, buffer: Buffer) {
    this.kind = kind;
    this.firstOffset = firstOffset;
    this.#buffer = buffer;
    this.#records = new BatchRecords(
      firstOffset,
      buffer.subarray(batchHeaderBytes, buffer.length - batchTrailer.length),
    );
  }

  /** An empty batch for records. */
  static ofRecords(firstOffset: number, buffer: Buffer): Batch {
    return new Batch('records', firstOffset, buffer);
  }

  /** A batch without payload; see `docs/reference/log-format.md`. */
  static mark(kind: 'mark' | 'cleanMark', nextOffset: number): Batch {
    return new Batch(kind, nextOffset, Buffer.alloc(batchFrameBytes));
  }

  /** A batch that records a new log start. */
  static logStart(logStart: Omit<LogStart, 'writtenAt'>, nextOffset: number): Batch {
    const payload = encodeLogStart(logStart);
    const batch = new Batch('logStart', nextOffset, Buffer.alloc(batchFrameBytes + payload.length));
    batch.#buffer.set(payload, batchHeaderBytes);
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
    const content = { kind: this.kind, payload, recordCount: this.#recordCount };
    const sealed = sealHeader(this.#buffer, content, cursor, durable);
    this.#buffer.set(batchTrailer, this.#end);
    return { bytes: this.#buffer.subarray(0, this.bytes), ...sealed };
  }

  /**
   * The records of a written batch, to be cached. Those that fill little of the buffer are copied out
   * of it, so that it can be reused at once.
   */
  detach(): { kept: KeptBatch; buffer: Buffer | null } {
    const payload = this.#buffer.subarray(batchHeaderBytes, this.#end);
    if (this.#records.hasViews || payload.length * 2 > this.#buffer.length) {
      const kept = { records: this.#records, heldBytes: this.#buffer.length, buffer: this.#buffer };
      return { kept, buffer: null };
    }
    const records = new BatchRecords(this.firstOffset, Buffer.from(payload));
    const kept = { records, heldBytes: payload.length, buffer: null };
    return { kept, buffer: this.#buffer };
  }
}

/** Encodes the header of a batch at `cursor` into `into`; returns its CRC and the cursor after the batch. */
export function sealHeader(
  into: Buffer,
  { kind, payload, recordCount }: BatchContent,
  cursor: LogCursor,
  durable: DurablePoint,
): { headerCrc: number; cursor: LogCursor } {
  const fields = {
    kind,
    payloadBytes: payload.length,
    recordCount,
    sequence: cursor.nextSequence,
    firstOffset: cursor.nextOffset,
    durableUpTo: durable.offset,
    durableSequence: durable.sequence,
    payloadCrc: crc32(payload),
    chain: cursor.chain,
  };
  const headerCrc = encodeBatchHeader(into, fields, cursor.logId);
  const logStart = kind === 'logStart' ? decodeLogStart(payload, fields) : null;
  return { headerCrc, cursor: advance(cursor, { recordCount, headerCrc }, logStart ?? undefined) };
}

/** A cached batch. */
export interface KeptBatch {
  readonly records: BatchRecords;
  readonly heldBytes: number;
  /** Can be reused once the batch leaves the cache, unless there are views of it. */
  readonly buffer: Buffer | null;
}

/** Usual size of a batch's buffer. */
export const batchBufferBytes: number = batchFrameBytes + batchPayloadBytesTarget;

/** Size of the buffer for a batch with one record of this size. */
export function bufferBytesFor(recordBytes: number): number {
  return Math.max(batchBufferBytes, batchFrameBytes + recordLengthBytes + recordBytes);
}
