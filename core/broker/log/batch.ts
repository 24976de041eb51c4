/**
 * One batch while it fills: records are copied straight to their place in the bytes that will be
 * written, and the header is put in front of them when the commit begins.
 */

import { crc32 } from 'node:zlib';
import {
  advance,
  type BatchKind,
  batchFrameBytes,
  batchHeaderBytes,
  batchTrailer,
  encodeBatchHeader,
  type LogCursor,
  recordLengthBytes,
} from './format.ts';

/** Batches are cut near this payload size: large enough for the disk, small enough to check. */
export const batchPayloadBytesTarget = 1024 * 1024;

/** What is known durable while a header is built. */
export interface DurablePoint {
  readonly offset: number;
  readonly sequence: number;
}

export class Batch {
  readonly kind: BatchKind;
  readonly #buffer: Buffer;
  #end = batchHeaderBytes;
  #recordCount = 0;

  constructor(kind: BatchKind, payloadBytesMax: number) {
    this.kind = kind;
    this.#buffer = Buffer.allocUnsafeSlow(batchFrameBytes + payloadBytesMax);
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Size on disk, with header and trailer. */
  get bytes(): number {
    return this.#end + batchTrailer.length;
  }

  /** Whether this batch may be emptied and used again: only those of the usual size. */
  get reusable(): boolean {
    return this.#buffer.length === batchFrameBytes + batchPayloadBytesTarget;
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

  /** Writes header and trailer; returns the bytes (not a copy) and the cursor after them. */
  seal(cursor: LogCursor, durable: DurablePoint): { bytes: Uint8Array; cursor: LogCursor } {
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
    return {
      bytes: this.#buffer.subarray(0, this.bytes),
      cursor: advance(cursor, { recordCount: this.#recordCount, headerCrc }),
    };
  }

  /** Empties the batch; bytes returned by `seal` must no longer be in use. */
  clear(): void {
    this.#end = batchHeaderBytes;
    this.#recordCount = 0;
  }
}
