/**
 * Writes a log anew, under an id of its own: segments are made in memory with headers and chain of
 * the new log, and placed on the disk whole.
 */

import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Disk, replaceFile } from '../log/disk.ts';
import {
  advance,
  type BatchKind,
  batchHeaderBytes,
  batchTrailer,
  decodeLogStart,
  encodeBatchHeader,
  encodeSegmentHeader,
  type LogCursor,
  logIdBytes,
  noLogStart,
  segmentName,
} from '../log/format.ts';
import { createProof } from '../log/proven-end.ts';

/** A batch without the header, which depends on its place. */
export interface BatchContent {
  readonly kind: BatchKind;
  readonly payload: Uint8Array;
  readonly recordCount: number;
}

/** Where a segment stands among the records of its log. */
export type SegmentStart = Pick<LogCursor, 'segment' | 'nextOffset' | 'nextSequence' | 'logStart'>;

export class NewSegments {
  readonly #disk: Disk;
  readonly #dir: string;
  #cursor: LogCursor = {
    logId: randomBytes(logIdBytes),
    segment: 0,
    nextOffset: 1,
    nextSequence: 1,
    chain: 0,
    logStart: noLogStart,
  };
  #content: Uint8Array[] = [];
  #bytes = 0;

  /** @param dir an existing folder that holds nothing else */
  constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  /** Where the next batch goes. */
  get cursor(): LogCursor {
    return this.#cursor;
  }

  /** Bytes of the segment that is being made. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins a segment: the next one, or the one that `start` describes. */
  start(start: SegmentStart = { ...this.#cursor, segment: this.#cursor.segment + 1 }): void {
    const { segment, nextOffset, nextSequence, logStart } = start;
    const before = { ...this.#cursor, nextOffset, nextSequence, logStart };
    const { header, cursor } = encodeSegmentHeader(before, segment);
    this.#cursor = cursor;
    this.#content = [header];
    this.#bytes = header.length;
  }

  /** Adds a batch. The payload is not copied: it must stay as it is until `place` is done. */
  add({ kind, payload, recordCount }: BatchContent): void {
    const { logId, nextOffset, nextSequence, chain } = this.#cursor;
    const header = Buffer.alloc(batchHeaderBytes);
    const fields = {
      kind,
      payloadBytes: payload.length,
      recordCount,
      sequence: nextSequence,
      firstOffset: nextOffset,
      // The file appears when all of it is durable, so each batch may vouch for those before it.
      durableUpTo: nextOffset - 1,
      durableSequence: nextSequence - 1,
      payloadCrc: crc32(payload),
      chain,
    };
    const headerCrc = encodeBatchHeader(header, fields, logId);
    const logStart = kind === 'logStart' ? decodeLogStart(payload, fields) : null;
    this.#cursor = advance(
      this.#cursor,
      { recordCount, headerCrc },
      logStart ?? this.#cursor.logStart,
    );
    this.#content.push(header, payload, batchTrailer);
    this.#bytes += header.length + payload.length + batchTrailer.length;
  }

  /** Puts the segment on the disk, durably. */
  async place(): Promise<void> {
    const name = segmentName(this.#cursor.segment);
    const file = await replaceFile(this.#disk, this.#dir, name, this.#content);
    await file.close();
    this.#content = [];
    this.#bytes = 0;
  }

  /** Says that the log was closed, places its last segment and the proof of its end. */
  async finish(): Promise<void> {
    this.add({ kind: 'cleanMark', payload: new Uint8Array(0), recordCount: 0 });
    const { logId, segment, nextOffset } = this.#cursor;
    const end = { logId, segment, bytes: this.#bytes, offset: nextOffset - 1 };
    await this.place();
    const proof = await createProof(this.#disk, this.#dir, end);
    await proof.close();
  }
}

/** Records as a batch holds them. */
export function recordsContent(records: readonly Uint8Array[]): BatchContent {
  const parts = records.flatMap((record) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    return [length, record];
  });
  return { kind: 'records', payload: Buffer.concat(parts), recordCount: records.length };
}
