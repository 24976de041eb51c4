/** The records of one batch in memory, found by their offsets. */

import { recordLengthBytes } from './format.ts';

/** Every so many records the place is remembered; between two such places the lengths are walked. */
const stride = 16;

export class BatchRecords {
  readonly firstOffset: number;
  readonly #payload: Buffer;
  #lent = false;
  /** Where record 0, 16, 32, … begin, as far as they were looked for. */
  readonly #starts: number[] = [0];

  /** `payload` may still be filling: only records that are in it are asked for. */
  constructor(firstOffset: number, payload: Buffer) {
    this.firstOffset = firstOffset;
    this.#payload = payload;
  }

  /** Whether somebody may hold a view of its bytes: they must not change any more. */
  get lent(): boolean {
    return this.#lent;
  }

  /** The record's bytes, a view. `offset` must be one of this batch. */
  record(offset: number): Uint8Array {
    this.#lent = true;
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
