/**
 * Chunks that wait in the history's thread. Small transactions write the same pages of the database
 * again and again, so chunks gather for a while, unless a search waits for what they hold.
 */

import { type Chunk, recordsOf } from './chunk.ts';

/** So much is worth a transaction of its own, and no transaction takes much more. */
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

  /** True when there is enough for a transaction without waiting for more. */
  get isLarge(): boolean {
    return this.#records >= recordsMax || this.#bytes >= bytesMax;
  }

  add(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#records += chunk.records;
    this.#bytes += chunk.bytes.length;
  }

  /** The oldest chunks, as many as one transaction takes; null when there are none. */
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
