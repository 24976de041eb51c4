/**
 * Reads the log's records in order from its segment files, in the history's own thread: the broker's
 * main thread takes no part in it, and nothing is kept for a history that is behind.
 */

import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../base/index.ts';
import {
  batchFrameBytes,
  decodeBatchHeader,
  decodeSegmentHeader,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from '../log/format/format.ts';
import { readBatches } from '../log/format/segment-reader.ts';

/** Records that follow each other, and the offset up to which they reach. */
export interface Portion {
  /** Views, good until the next portion is read. */
  readonly records: readonly Uint8Array[];
  readonly upTo: number;
}

/** The log dropped records that were not read yet. */
export class RecordsDroppedError extends Error {}

/** Bytes of a portion. A larger batch is read as a whole, and the rest of a segment when damage is larger. */
const chunkBytes = 1024 * 1024;

/** A segment that is being read. */
interface OpenSegment {
  readonly number: number;
  readonly file: number;
  /** Where the next batch begins. */
  atByte: number;
}

export class LogFollower {
  readonly #dir: string;
  readonly #logId: Uint8Array;
  readonly #onDamage: (text: string) => void;
  #segment: OpenSegment | null = null;
  /** Of the newest batch that was read. */
  #sequence = 0;
  #next: number;
  #buffer: Buffer = Buffer.alloc(0);

  /**
   * @param logId in hex
   * @param next offset of the first record that it reads
   * @param onDamage called when records are left out because they are damaged
   */
  constructor(dir: string, logId: string, next: number, onDamage: (text: string) => void) {
    this.#dir = dir;
    this.#logId = Buffer.from(logId, 'hex');
    this.#next = next;
    this.#onDamage = onDamage;
  }

  /**
   * The next records up to `upTo`, all of which must be durable.
   * @throws RecordsDroppedError when the log no longer has them
   * @throws Error of the file system; it can be called again
   */
  read(upTo: number): Portion {
    this.#segment ??= this.#find();
    let bytesMax = chunkBytes;
    for (;;) {
      const segment: OpenSegment = this.#segment;
      const { atByte } = segment;
      const { records, isRest } = this.#readSome(segment, upTo, bytesMax);
      if (records.length > 0 || this.#next > upTo) return { records, upTo: this.#next - 1 };
      bytesMax = chunkBytes;
      // It found only marks, or went past damage.
      if (segment.atByte > atByte) continue;
      if (isRest) this.#segment = this.#openNext(segment) ?? segment;
      // What should follow is not in the file any more.
      if (isRest && this.#segment === segment) this.#leaveOut(upTo + 1);
      // Damage that reaches beyond the chunk.
      if (!isRest) bytesMax = Number.POSITIVE_INFINITY;
    }
  }

  close(): void {
    if (this.#segment !== null) closeSync(this.#segment.file);
    this.#segment = null;
  }

  /** The records of one chunk, up to `upTo`; `isRest`: the segment has nothing behind it. */
  #readSome(
    segment: OpenSegment,
    upTo: number,
    bytesMax: number,
  ): { records: Uint8Array[]; isRest: boolean } {
    const taken: Uint8Array[] = [];
    const { bytes, isRest } = this.#chunk(segment, bytesMax);
    const { atByte } = segment;
    for (const found of readBatches({ bytes, atByte }, this.#logId, this.#sequence)) {
      if (this.#next > upTo) break;
      if (found.type === 'hole') {
        const end = found.atByte + found.bytes;
        // The end of the chunk may have cut a batch, unless it is the end of the file.
        if (!isRest && end === atByte + bytes.length) break;
        segment.atByte = end;
        continue;
      }
      const { firstOffset, recordCount, sequence } = found.header;
      if (firstOffset > this.#next) this.#leaveOut(Math.min(firstOffset, upTo + 1));
      if (firstOffset > upTo) break;
      segment.atByte = found.atByte + batchFrameBytes + found.payload.length;
      this.#sequence = sequence;
      for (const record of found.records.slice(this.#next - firstOffset)) taken.push(record);
      this.#next = Math.max(this.#next, firstOffset + recordCount);
    }
    return { records: taken, isRest };
  }

  /** Bytes of the segment from where the next batch begins: at most so many, but one batch as a whole. */
  #chunk({ file, atByte }: OpenSegment, bytesMax: number): { bytes: Buffer; isRest: boolean } {
    const left = Math.max(0, fstatSync(file).size - atByte);
    const bytes = this.#bytesAt(file, atByte, Math.min(left, bytesMax));
    const header = decodeBatchHeader(bytes, 0, this.#logId);
    const needed = header === null ? 0 : batchFrameBytes + header.payloadBytes;
    if (needed <= bytes.length) return { bytes, isRest: bytes.length === left };
    const more = this.#bytesAt(file, atByte, Math.min(left, needed));
    return { bytes: more, isRest: more.length === left };
  }

  #bytesAt(file: number, atByte: number, bytes: number): Buffer {
    if (this.#buffer.length < bytes || this.#buffer.length > 2 * chunkBytes) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, chunkBytes));
    }
    let filled = 0;
    while (filled < bytes) {
      const count = readSync(file, this.#buffer, filled, bytes - filled, atByte + filled);
      if (count === 0) break;
      filled += count;
    }
    return this.#buffer.subarray(0, filled);
  }

  /** Records before `next` are damaged. */
  #leaveOut(next: number): void {
    const [first, last] = [this.#next, next - 1];
    const which = first === last ? `record ${first} is` : `records ${first} to ${last} are`;
    this.#onDamage(`${which} damaged in the log and left out of searches`);
    this.#next = next;
  }

  /** The segment after this one; null when this is the last one. */
  #openNext(segment: OpenSegment): OpenSegment | null {
    const newest = this.#numbers().at(-1) ?? 0;
    if (newest <= segment.number) return null;
    try {
      const opened = this.#open(segment.number + 1);
      closeSync(segment.file);
      return opened;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      return this.#find();
    }
  }

  #open(number: number): OpenSegment {
    const file = openSync(join(this.#dir, segmentName(number)), 'r');
    return { number, file, atByte: segmentHeaderBytes };
  }

  /**
   * The segment with the next record.
   * @throws RecordsDroppedError when all begin after it
   */
  #find(): OpenSegment {
    this.close();
    for (const number of this.#numbers().reverse()) {
      const segment = this.#open(number);
      const header = decodeSegmentHeader(this.#bytesAt(segment.file, 0, segmentHeaderBytes));
      if (header.ok && header.cursor.nextOffset <= this.#next) {
        this.#sequence = header.cursor.nextSequence - 1;
        return segment;
      }
      closeSync(segment.file);
    }
    throw new RecordsDroppedError(`the log no longer has record ${this.#next}`);
  }

  /** Numbers of all segments, ascending. */
  #numbers(): number[] {
    const found = readdirSync(this.#dir).map(segmentNumber);
    return found.filter((number) => number !== null).sort((one, other) => one - other);
  }
}
