/**
 * Reads durable records: from a cache of recently used batches, else the batch that holds the record,
 * from disk with its checksums. Returned bytes are views of a batch that never changes again.
 */

import { join } from 'node:path';
import { LogDamagedError } from './contract.ts';
import type { Disk } from './disk/disk.ts';
import { OpenFiles } from './disk/open-files.ts';
import { asBuffer, decodeBatchHeader, segmentName } from './format/format.ts';
import { payloadOf } from './format/segment-reader.ts';
import type { LocatedBatch, SegmentTable } from './segments.ts';
import { batchBufferBytes, type KeptBatch } from './write/batch.ts';
import { BatchRecords } from './write/batch-records.ts';

export interface RecordReaderOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly logId: Uint8Array;
  readonly segments: SegmentTable;
  /** Bytes of memory for cached batches. */
  readonly cacheBytesMax: number;
}

const openFilesMax = 16;
/** Concurrent disk reads: more would take the threads that the log's writes need. */
const readsMax = 4;
/** Memory of a cached batch besides its records, roughly. */
const keptOverheadBytes = 300;

export class RecordReader {
  readonly #options: RecordReaderOptions;
  readonly #files: OpenFiles;
  /** By first offset, least recently used first. */
  readonly #kept = new Map<number, KeptBatch>();
  #keptBytes = 0;
  /** Batches that are being read, by first offset. */
  readonly #loading = new Map<number, Loading>();
  readonly #disk = new Semaphore(readsMax);
  #closed = false;

  constructor(options: RecordReaderOptions) {
    this.#options = options;
    this.#files = new OpenFiles(options.disk, openFilesMax);
  }

  /** Caches a batch that was just written or read. */
  keep(kept: KeptBatch): void {
    this.#kept.set(kept.records.firstOffset, kept);
    this.#keptBytes += kept.heldBytes + keptOverheadBytes;
    for (const oldest of this.#kept.values()) {
      if (this.#keptBytes <= this.#options.cacheBytesMax) return;
      this.#forget(oldest);
    }
  }

  /**
   * Evicts the least recently used batch of a full cache and returns its buffer, so that a bulk load
   * reuses memory. Null when the cache is not full, or the buffer has views or another size.
   */
  recycle(): Buffer | null {
    if (this.#keptBytes + batchBufferBytes <= this.#options.cacheBytesMax) return null;
    const oldest = this.#kept.values().next().value;
    if (oldest === undefined || oldest.records.hasViews) return null;
    if (oldest.buffer?.length !== batchBufferBytes) return null;
    this.#forget(oldest);
    return oldest.buffer;
  }

  #forget({ records, heldBytes }: KeptBatch): void {
    this.#kept.delete(records.firstOffset);
    this.#keptBytes -= heldBytes + keptOverheadBytes;
  }

  /**
   * @throws RangeError when no segment holds the record
   * @throws LogDamagedError (as a rejection) when its batch does not pass the checks
   * @throws Error (as a rejection) naming the file that could not be read
   */
  read(offset: number): Uint8Array | Promise<Uint8Array> {
    const place = this.#options.segments.find(offset);
    if (place === null) throw new RangeError(`the log does not hold record ${offset}`);
    const kept = this.#kept.get(place.firstOffset);
    if (kept === undefined) {
      return this.#load(place).then((records) => records.record(offset));
    }
    this.#kept.delete(place.firstOffset);
    this.#kept.set(place.firstOffset, kept);
    return kept.records.record(offset);
  }

  /** Waits for reads of these segments and closes their files, so that their space can be freed. */
  async release(segments: readonly number[]): Promise<void> {
    const { dir } = this.#options;
    const reads = [...this.#loading.values()].filter(({ segment }) => segments.includes(segment));
    await Promise.allSettled(reads.map(({ records }) => records));
    for (const number of segments) await this.#files.close(join(dir, segmentName(number)));
  }

  /** Waits for reads in progress. Cached records stay readable. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#loading.values()].map(({ records }) => records));
    await this.#files.closeAll();
  }

  #load(place: LocatedBatch): Promise<BatchRecords> {
    const under = this.#loading.get(place.firstOffset);
    if (under !== undefined) return under.records;
    if (this.#closed) return Promise.reject(new Error('the log is closed'));
    const records = this.#readBatch(place).finally(() => this.#loading.delete(place.firstOffset));
    this.#loading.set(place.firstOffset, { segment: place.segment, records });
    return records;
  }

  async #readBatch(place: LocatedBatch): Promise<BatchRecords> {
    const path = join(this.#options.dir, segmentName(place.segment));
    const bytes = Buffer.allocUnsafeSlow(place.endByte - place.atByte);
    const count = await this.#disk
      .run(() => this.#files.use(path, (file) => file.read(bytes, place.atByte)))
      .catch((cause: unknown) => {
        const where = `${path}: the disk could not read the log at byte ${place.atByte}`;
        throw new Error(`${where} (${String(cause)})`, { cause });
      });
    const payload = checkedPayload(bytes.subarray(0, count), place, this.#options.logId);
    if (payload === null) throw damaged(path, place);
    const records = new BatchRecords(place.firstOffset, payload);
    this.keep({ records, heldBytes: bytes.length, buffer: null });
    return records;
  }
}

interface Loading {
  readonly segment: number;
  readonly records: Promise<BatchRecords>;
}

/** The batch's payload; null unless its bytes are exactly those that were written. */
function checkedPayload(bytes: Buffer, place: LocatedBatch, logId: Uint8Array): Buffer | null {
  const header = decodeBatchHeader(bytes, 0, logId);
  // The CRC of a header covers its position in the chain and the CRC of its payload.
  if (header === null || header.headerCrc !== place.headerCrc) return null;
  if (header.firstOffset !== place.firstOffset) return null;
  const payload = payloadOf(bytes, 0, header);
  return payload === null ? null : asBuffer(payload);
}

function damaged(path: string, { atByte, firstOffset }: LocatedBatch): LogDamagedError {
  return new LogDamagedError(
    path,
    atByte,
    `${path}: damaged at byte ${atByte}, in records that were safely on disk: record ` +
      `${firstOffset} and those beside it cannot be read. Stop the broker and restore the log ` +
      'folder from a backup. Changes since that backup are in the newer segments.',
  );
}

/** Counting semaphore: limits concurrent work; waiters run in order. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
