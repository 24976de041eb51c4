/** Index of the batches of one segment: 12 bytes each, so that it stays in memory. */

/** One batch with records. */
export interface BatchLocation {
  readonly firstOffset: number;
  readonly atByte: number;
  /** CRC of its header, which covers its position in the log and its content. */
  readonly headerCrc: number;
  /** Where the next one begins; undefined for the segment's last. */
  readonly nextAtByte: number | undefined;
}

const fields = 3;

export class BatchIndex {
  /** Offset of the segment's first record. */
  readonly #base: number;
  /** Three numbers for each batch: first offset from `base` on, byte, CRC. */
  #rows: Uint32Array;
  #count = 0;

  constructor(base: number, rows?: Uint32Array) {
    this.#base = base;
    this.#rows = rows ?? new Uint32Array(fields * 16);
    this.#count = rows === undefined ? 0 : rows.length / fields;
  }

  /** Batches with records. */
  get count(): number {
    return this.#count;
  }

  /** The rows as `BatchIndex` takes them again. */
  get rows(): Uint32Array {
    return this.#rows.subarray(0, this.#count * fields);
  }

  /** Batches are added in order. */
  add(firstOffset: number, atByte: number, headerCrc: number): void {
    if (this.#count * fields === this.#rows.length) {
      const grown = new Uint32Array(this.#rows.length * 2);
      grown.set(this.#rows);
      this.#rows = grown;
    }
    this.#rows.set([firstOffset - this.#base, atByte, headerCrc], this.#count * fields);
    this.#count += 1;
  }

  /** Batch number `index`, from 0. */
  at(index: number): BatchLocation | null {
    const row = index * fields;
    if (index < 0 || index >= this.#count) return null;
    return {
      firstOffset: this.#base + (this.#rows[row] ?? 0),
      atByte: this.#rows[row + 1] ?? 0,
      headerCrc: this.#rows[row + 2] ?? 0,
      nextAtByte: index + 1 < this.#count ? this.#rows[row + fields + 1] : undefined,
    };
  }

  /** The last batch that begins at or before `offset`. */
  find(offset: number): BatchLocation | null {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#base + (this.#rows[middle * fields] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.at(low - 1);
  }
}
