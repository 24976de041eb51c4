/**
 * Counts the connections of the whole pool, in memory shared by its threads, so that a limit holds for
 * all of them together. A thread writes only its own counts; those of a dead thread are cleared for
 * it. Unauthenticated connections are counted by transport: any user of the machine can open one over
 * TCP, which must not affect the Unix socket.
 */

import type { Transport } from '../../events.ts';

/** Shared memory with the counts of each thread. */
export type ConnectionCountCells = Int32Array<SharedArrayBuffer>;

/** A client, or an unauthenticated connection of a transport. */
export type ConnectionClass = 'client' | Transport;

const cellOf: Readonly<Record<ConnectionClass, number>> = { client: 0, unix: 1, tcp: 2 };
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
  add(connectionClass: ConnectionClass, by: 1 | -1): void {
    Atomics.add(this.#cells, this.#first + cellOf[connectionClass], by);
  }

  /** Resets the counts of this thread. */
  clear(): void {
    for (let at = 0; at < countsPerThread; at++) Atomics.store(this.#cells, this.#first + at, 0);
  }

  /** Connections of this class in all threads. */
  count(connectionClass: ConnectionClass): number {
    let sum = 0;
    for (let at = cellOf[connectionClass]; at < this.#cells.length; at += countsPerThread) {
      sum += Atomics.load(this.#cells, at);
    }
    return sum;
  }
}
