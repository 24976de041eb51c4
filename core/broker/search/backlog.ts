/**
 * The queue of chunks in the history's thread. Chunks are batched into larger transactions, as small
 * ones write the same pages repeatedly, unless a search waits for their records.
 */

import { type Chunk, recordsOf } from './chunk.ts';

/** Size of a transaction. */
const recordsMax = 5_000;
const bytesMax = 2 * 1024 * 1024;

/** Chunks of one transaction. */
export interface Portion {
  readonly records: Iterable<Uint8Array>;
  readonly upTo: number;
  readonly bytes: number;
}

export class Backlog {
  readonly #chunks: Chunk[] = [];
  #records = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** True when there is enough for a transaction. */
  get isLarge(): boolean {
    return this.#records >= recordsMax || this.#bytes >= bytesMax;
  }

  add(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#records += chunk.records;
    this.#bytes += chunk.bytes.length;
  }

  /** Removes the oldest chunks for one transaction; null when there are none. */
  take(): Portion | null {
    const taken: Chunk[] = [];
    let records = 0;
    let bytes = 0;
    while (records < recordsMax && bytes < bytesMax) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      taken.push(chunk);
      records += chunk.records;
      bytes += chunk.bytes.length;
    }
    this.#records -= records;
    this.#bytes -= bytes;
    const last = taken.at(-1);
    return last === undefined ? null : { records: allOf(taken), upTo: last.upTo, bytes };
  }
}

function* allOf(chunks: readonly Chunk[]): Generator<Uint8Array> {
  for (const chunk of chunks) yield* recordsOf(chunk);
}
