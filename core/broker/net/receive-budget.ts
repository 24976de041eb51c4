/**
 * The bytes that peers sent and that are not answered: one budget for the whole pool, in memory
 * that all its threads see. A thread writes only its own count; that of a dead thread is cleared
 * for it.
 */

import type { NetLimits } from './net-limits.ts';

/** Shared between threads, one count for each; to be passed on as it is. */
export type ReceiveBudgetCells = Int32Array<SharedArrayBuffer>;

export function createReceiveBudgetCells(threads: number): ReceiveBudgetCells {
  return new Int32Array(new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT));
}

/** The budget as one of the threads sees it. */
export class ReceiveBudget {
  readonly #cells: ReceiveBudgetCells;
  readonly #thread: number;
  readonly #limits: Pick<NetLimits, 'intakeBytesMax' | 'intakeBytesMin'>;

  /** @param thread which one this is, from 0 on */
  constructor(
    cells: ReceiveBudgetCells,
    thread: number,
    limits: Pick<NetLimits, 'intakeBytesMax' | 'intakeBytesMin'>,
  ) {
    this.#cells = cells;
    this.#thread = thread;
    this.#limits = limits;
  }

  /** Counts bytes that came, or with a minus sign those that need not be held any more. */
  add(bytes: number): void {
    Atomics.add(this.#cells, this.#thread, bytes);
  }

  /** This thread holds nothing any more. */
  clear(): void {
    Atomics.store(this.#cells, this.#thread, 0);
  }

  /** Bytes that all threads hold. */
  get bytes(): number {
    let sum = 0;
    for (let at = 0; at < this.#cells.length; at++) sum += Atomics.load(this.#cells, at);
    return sum;
  }

  /** What one peer may hold: a part of what is free leaves a part of it free, however many hold theirs. */
  get shareBytes(): number {
    const { intakeBytesMax, intakeBytesMin } = this.#limits;
    return Math.max(intakeBytesMin, (intakeBytesMax - this.bytes) / 4);
  }
}
