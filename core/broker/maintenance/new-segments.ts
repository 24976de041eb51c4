/**
 * Writes a new log, with its own id: segments are built in memory, with headers and chain of the new
 * log, and written as whole files.
 */

import { randomBytes } from 'node:crypto';
import { type Disk, replaceFile } from '../log/disk/disk.ts';
import {
  batchHeaderBytes,
  batchTrailer,
  encodeLogStart,
  encodeSegmentHeader,
  type LogCursor,
  logIdBytes,
  noLogStart,
  segmentName,
} from '../log/format/format.ts';
import { createProof } from '../log/format/proven-end.ts';
import { type BatchContent, batchPayloadBytesTarget, sealHeader } from '../log/write/batch.ts';
import { durablePoint } from '../log/write/tail-writer.ts';

/** Position of a segment in its log. */
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

  /** The cursor of the next batch. */
  get cursor(): LogCursor {
    return this.#cursor;
  }

  /** Bytes of the present segment. */
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

  /** Adds a batch. The payload is not copied: it must not change until `write` is done. */
  add(content: BatchContent): void {
    const header = Buffer.alloc(batchHeaderBytes);
    // The file appears once all of it is durable, so each batch may prove those before it.
    const durable = durablePoint(this.#cursor);
    this.#cursor = sealHeader(header, content, this.#cursor, durable).cursor;
    this.#content.push(header, content.payload, batchTrailer);
    this.#bytes += header.length + content.payload.length + batchTrailer.length;
  }

  /** Writes the segment to disk, durably. */
  async write(): Promise<void> {
    const name = segmentName(this.#cursor.segment);
    const file = await replaceFile(this.#disk, this.#dir, name, this.#content);
    await file.close();
    this.#content = [];
    this.#bytes = 0;
  }

  /** Ends the log with a clean mark, and writes its last segment and the proof of its end. */
  async finish(): Promise<void> {
    this.add({ kind: 'cleanMark', payload: new Uint8Array(0), recordCount: 0 });
    const { logId, segment, nextOffset } = this.#cursor;
    const end = { logId, segment, bytes: this.#bytes, offset: nextOffset - 1 };
    await this.write();
    const proof = await createProof(this.#disk, this.#dir, end);
    await proof.close();
  }
}

/** Encodes records as a batch. */
export function recordsContent(records: readonly Uint8Array[]): BatchContent {
  const parts = records.flatMap((record) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    return [length, record];
  });
  return { kind: 'records', payload: Buffer.concat(parts), recordCount: records.length };
}

const segmentBytesMax = 16 * 1024 * 1024;

/** Writes single records to a new log, in batches and segments of the usual size. */
export class RecordWriter {
  readonly #segments: NewSegments;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(segments: NewSegments) {
    this.#segments = segments;
    segments.start();
  }

  /** Offset of the record written last. */
  get endOffset(): number {
    return this.#segments.cursor.nextOffset + this.#pending.length - 1;
  }

  /** The bytes may be a view: they are copied before another segment is read. */
  async add(record: Uint8Array): Promise<void> {
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    if (this.#pendingBytes < batchPayloadBytesTarget) return;
    this.flush();
    if (this.#segments.bytes < segmentBytesMax) return;
    await this.#segments.write();
    this.#segments.start();
  }

  /** Makes a batch of what was added. */
  flush(): void {
    if (this.#pending.length === 0) return;
    this.#segments.add(recordsContent(this.#pending));
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /**
   * Ends the log with a log start: as after compaction, records up to here may refer to jobs that are
   * unknown.
   */
  async finish(): Promise<void> {
    this.flush();
    this.#segments.add({ kind: 'logStart', payload: encodeLogStart(noLogStart), recordCount: 0 });
    await this.#segments.finish();
  }
}
