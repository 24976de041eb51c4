/** Finds a job's row by its acceptance number, and walks jobs in that order, 4 bytes a job. */

const chunkLog2 = 12;
const chunkLength = 1 << chunkLog2;

interface Chunk {
  readonly slots: Uint32Array;
  count: number;
}

export class SeqIndex {
  readonly #chunks: Map<number, Chunk> = new Map();
  #highest = 0;

  /** The highest number ever given. */
  get highest(): number {
    return this.#highest;
  }

  /** Row of the job with that number; 0 when it is not known (any more). */
  find(seq: number): number {
    return this.#chunks.get(chunkOf(seq))?.slots[seq % chunkLength] ?? 0;
  }

  add(seq: number, slot: number): void {
    const number = chunkOf(seq);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = { slots: new Uint32Array(chunkLength), count: 0 };
      this.#chunks.set(number, chunk);
    }
    chunk.slots[seq % chunkLength] = slot;
    chunk.count++;
    this.#highest = Math.max(this.#highest, seq);
  }

  remove(seq: number): void {
    const number = chunkOf(seq);
    const chunk = this.#chunks.get(number);
    if (chunk === undefined) throw new Error(`job number ${seq} is not in the index`);
    chunk.slots[seq % chunkLength] = 0;
    chunk.count--;
    if (chunk.count === 0) this.#chunks.delete(number);
  }

  /**
   * The known number nearest to `seq` in the direction of `step`, itself included, checking no
   * more than `scansMax` numbers. `seq` is 0 when none was found; the search continues at `next`.
   */
  nearest(seq: number, step: 1 | -1, scansMax: number): Nearest {
    let steps = 0;
    let at = seq;
    while (at >= 1 && at <= this.#highest && steps < scansMax) {
      const chunk = this.#chunks.get(chunkOf(at));
      steps++;
      if (chunk === undefined) {
        at = step > 0 ? (chunkOf(at) + 1) * chunkLength : chunkOf(at) * chunkLength - 1;
        continue;
      }
      if (chunk.slots[at % chunkLength] !== 0) return { seq: at, steps, next: at + step };
      at += step;
    }
    return { seq: 0, steps, next: at };
  }

  /** Numbers up to this one were given, though their jobs may be forgotten. */
  atLeast(seq: number): void {
    this.#highest = Math.max(this.#highest, seq);
  }
}

export interface Nearest {
  readonly seq: number;
  readonly steps: number;
  readonly next: number;
}

function chunkOf(seq: number): number {
  return Math.floor(seq / chunkLength);
}
