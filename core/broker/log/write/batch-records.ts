/** The records of one batch in memory, found by their offsets. */

import { recordLengthBytes } from '../format/format.ts';

/** Every so many records the position is stored; the lengths in between are walked. */
const stride = 16;

export class BatchRecords {
  readonly firstOffset: number;
  readonly #payload: Buffer;
  #hasViews = false;
  /** Positions of records 0, 16, 32, …, as far as they were needed. */
  readonly #starts: number[] = [0];

  /** @param payload may still be filling: only records that are in it are asked for */
  constructor(firstOffset: number, payload: Buffer) {
    this.firstOffset = firstOffset;
    this.#payload = payload;
  }

  /** Whether views of its bytes were given out: they must not change any more. */
  get hasViews(): boolean {
    return this.#hasViews;
  }

  /** The record's bytes, a view. `offset` must be one of this batch. */
  record(offset: number): Uint8Array {
    this.#hasViews = true;
    const start = this.#startOf(offset - this.firstOffset);
    const from = start + recordLengthBytes;
    return this.#payload.subarray(from, from + this.#payload.readUInt32BE(start));
  }

  #startOf(index: number): number {
    const known = Math.min(Math.floor(index / stride), this.#starts.length - 1);
    let start = this.#starts[known] ?? 0;
    for (let walked = known * stride; walked < index; ) {
      start += recordLengthBytes + this.#payload.readUInt32BE(start);
      walked += 1;
      if (walked % stride === 0 && walked / stride === this.#starts.length) {
        this.#starts.push(start);
      }
    }
    return start;
  }
}
