/**
 * The budget for received bytes of requests without response: one for the whole pool, in memory shared
 * by its threads. A thread writes only its own count; that of a dead thread is cleared for it.
 */

import type { NetLimits } from './net-limits.ts';

/** Shared memory with one count for each thread. */
export type ReceiveBudgetCells = Int32Array<SharedArrayBuffer>;

export function createReceiveBudgetCells(threads: number): ReceiveBudgetCells {
  return new Int32Array(new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT));
}

/** The budget as one of the threads sees it. */
export class ReceiveBudget {
  readonly #cells: ReceiveBudgetCells;
  readonly #thread: number;
  readonly #limits: Pick<NetLimits, 'receiveBytesMax' | 'receiveBytesMin'>;

  /** @param thread which one this is, from 0 on */
  constructor(
    cells: ReceiveBudgetCells,
    thread: number,
    limits: Pick<NetLimits, 'receiveBytesMax' | 'receiveBytesMin'>,
  ) {
    this.#cells = cells;
    this.#thread = thread;
    this.#limits = limits;
  }

  /** Adds received bytes; negative for bytes that are released. */
  add(bytes: number): void {
    Atomics.add(this.#cells, this.#thread, bytes);
  }

  /** Resets the count of this thread. */
  clear(): void {
    Atomics.store(this.#cells, this.#thread, 0);
  }

  /** Bytes that all threads hold. */
  get bytes(): number {
    let sum = 0;
    for (let at = 0; at < this.#cells.length; at++) sum += Atomics.load(this.#cells, at);
    return sum;
  }

  /** Bytes that one peer may hold: a quarter of what is free, so that some stays free for the next. */
  get shareBytes(): number {
    const { receiveBytesMax, receiveBytesMin } = this.#limits;
    return Math.max(receiveBytesMin, (receiveBytesMax - this.bytes) / 4);
  }
}
