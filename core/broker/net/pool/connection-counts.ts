/**
 * How many connections the whole pool holds, in memory that all its threads see, so that a limit
 * is one limit however many threads share it, and nobody has to ask. A thread writes only its own
 * counts; those of a dead thread are cleared for it. Strangers, who have not said Hello, are counted
 * by transport: any user of the machine can be one over TCP, and must keep nobody off the Unix socket.
 */

import type { Transport } from '../../events.ts';

/** Shared between threads; to be passed on as it is. */
export type ConnectionCountCells = Int32Array<SharedArrayBuffer>;

/** What a connection is counted as: a client, or a stranger of its transport. */
export type Standing = 'client' | Transport;

const cellOf: Readonly<Record<Standing, number>> = { client: 0, unix: 1, tcp: 2 };
const countsPerThread = 3;

export function createConnectionCountCells(threads: number): ConnectionCountCells {
  const bytes = threads * countsPerThread * Int32Array.BYTES_PER_ELEMENT;
  return new Int32Array(new SharedArrayBuffer(bytes));
}

/** The pool's connections as one of its threads counts them. */
export class ConnectionCounts {
  readonly #cells: ConnectionCountCells;
  readonly #first: number;

  /** @param thread which one this is, from 0 on */
  constructor(cells: ConnectionCountCells, thread: number) {
    this.#cells = cells;
    this.#first = thread * countsPerThread;
  }

  /** Changes a count of this thread. */
  add(standing: Standing, by: 1 | -1): void {
    Atomics.add(this.#cells, this.#first + cellOf[standing], by);
  }

  /** This thread has no connections any more. */
  clear(): void {
    for (let at = 0; at < countsPerThread; at++) Atomics.store(this.#cells, this.#first + at, 0);
  }

  /** Connections of all threads that are counted so. */
  count(standing: Standing): number {
    let sum = 0;
    for (let at = cellOf[standing]; at < this.#cells.length; at += countsPerThread) {
      sum += Atomics.load(this.#cells, at);
    }
    return sum;
  }
}
