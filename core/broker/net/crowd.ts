/**
 * How many connections the whole pool holds, in memory that all its threads see, so that a limit
 * is one limit however many threads share it, and nobody has to ask. A thread writes only its own
 * counts; those of a dead thread are cleared for it.
 */

/** Shared between threads; to be passed on as it is. */
export type CrowdCells = Int32Array<SharedArrayBuffer>;

const countsPerThread = 2;

export function createCrowdCells(threads: number): CrowdCells {
  const bytes = threads * countsPerThread * Int32Array.BYTES_PER_ELEMENT;
  return new Int32Array(new SharedArrayBuffer(bytes));
}

/** The pool's connections as one of its threads counts them. */
export class Crowd {
  readonly #cells: CrowdCells;
  readonly #first: number;

  /** @param thread which one this is, from 0 on */
  constructor(cells: CrowdCells, thread: number) {
    this.#cells = cells;
    this.#first = thread * countsPerThread;
  }

  /** Changes the counts of this thread: of all its connections, and of those without Hello. */
  add(all: number, strangers: number): void {
    Atomics.add(this.#cells, this.#first, all);
    Atomics.add(this.#cells, this.#first + 1, strangers);
  }

  /** This thread has no connections any more. */
  clear(): void {
    Atomics.store(this.#cells, this.#first, 0);
    Atomics.store(this.#cells, this.#first + 1, 0);
  }

  /** Connections of all threads. */
  get all(): number {
    return this.#sum(0);
  }

  /** Those of them that have not said Hello. */
  get strangers(): number {
    return this.#sum(1);
  }

  #sum(count: number): number {
    let sum = 0;
    for (let at = count; at < this.#cells.length; at += countsPerThread) {
      sum += Atomics.load(this.#cells, at);
    }
    return sum;
  }
}
