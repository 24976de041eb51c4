/** Batches that are not durable yet: those being written and those waiting, the last of which is filled. */

import { Batch, batchBufferBytes, bufferBytesFor } from './batch.ts';

/** Buffers kept for reuse: one fills while others are written. */
const spareBuffersMax = 8;

export class PendingBatches {
  #writing: readonly Batch[] = [];
  #waiting: Batch[] = [];
  readonly #spare: Buffer[] = [];
  readonly #recycle: () => Buffer | null;

  /** @param recycle returns an unused buffer of the usual size, if there is one */
  constructor(recycle: () => Buffer | null) {
    this.#recycle = recycle;
  }

  /** Their size on disk. */
  get bytes(): number {
    return [...this.#writing, ...this.#waiting].reduce((sum, batch) => sum + batch.bytes, 0);
  }

  /** The next batch to be written. */
  get next(): Batch | undefined {
    return this.#waiting[0];
  }

  /** Copies a record into the batch that is filling. */
  append(record: Uint8Array, offset: number): void {
    let filling = this.#waiting.at(-1);
    if (filling?.fits(record.length) !== true) {
      filling = Batch.ofRecords(offset, this.#bufferFor(record.length));
      this.#waiting.push(filling);
    }
    filling.add(record);
  }

  push(batch: Batch): void {
    this.#waiting.push(batch);
  }

  /** Removes the batches to be written next: those that fit into `room` bytes, at least one. */
  take(room: number): readonly Batch[] {
    let left = room;
    let count = 0;
    for (const batch of this.#waiting) {
      if (count > 0 && batch.bytes > left) break;
      left -= batch.bytes;
      count += 1;
    }
    this.#writing = this.#waiting.splice(0, count);
    return this.#writing;
  }

  /** The batches taken last are durable; their records are now read from the cache or the disk. */
  written(): void {
    this.#writing = [];
  }

  /** Returns a buffer to the pool. */
  reuse(buffer: Buffer): void {
    const fits = buffer.length === batchBufferBytes && this.#spare.length < spareBuffersMax;
    if (fits) this.#spare.push(buffer);
  }

  #bufferFor(recordBytes: number): Buffer {
    const bytes = bufferBytesFor(recordBytes);
    const used = bytes === batchBufferBytes ? (this.#spare.pop() ?? this.#recycle()) : null;
    return used ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** A view of a record that is not durable yet; null when it is in none of these batches. */
  read(offset: number): Uint8Array | null {
    const batch = batchWith(this.#waiting, offset) ?? batchWith(this.#writing, offset);
    return batch === null ? null : batch.record(offset);
  }
}

function batchWith(batches: readonly Batch[], offset: number): Batch | null {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((batches[middle]?.firstOffset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  const batch = batches[low - 1];
  return batch !== undefined && offset < batch.firstOffset + batch.recordCount ? batch : null;
}
