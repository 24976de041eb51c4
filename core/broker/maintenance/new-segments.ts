/**
 * Writes a new log, with its own id: segments are built in memory, with headers and chain of the new
 * log, and written as whole files.
 */

import { randomBytes } from 'node:crypto';
import { type BatchContent, sealHeader } from '../log/batch.ts';
import { type Disk, replaceFile } from '../log/disk.ts';
import {
  batchHeaderBytes,
  batchTrailer,
  encodeSegmentHeader,
  type LogCursor,
  logIdBytes,
  noLogStart,
  segmentName,
} from '../log/format.ts';
import { createProof } from '../log/proven-end.ts';
import { durablePoint } from '../log/tail-writer.ts';

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
