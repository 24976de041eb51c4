/**
 * Things that are read from the log, in the order in which they stand there, so that compaction
 * finds the oldest at once. A doubly linked list: constant time to add, to move and to remove.
 */

/** The place of one thing in the log and its neighbours; only `OffsetOrder` changes it. */
export interface Logged<T> {
  /** Offset of the record that holds it; 0 when it is in no record any more. */
  offset: number;
  /** Bytes of the log that it needs, no fewer than it takes to log it again. */
  readonly logBytes: number;
  older: T | null;
  newer: T | null;
}

export class OffsetOrder<T extends Logged<T>> {
  #oldest: T | null = null;
  #newest: T | null = null;
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the log that all of them need. */
  get logBytes(): number {
    return this.#bytes;
  }

  get oldest(): T | null {
    return this.#oldest;
  }

  /**
   * The thing is in the record at `offset`, the newest of all; where it was before counts no more.
   * @throws Error when the offset is not the newest
   */
  place(thing: T, offset: number): void {
    if (thing.offset !== 0) this.remove(thing);
    if (this.#newest !== null && this.#newest.offset >= offset) {
      throw new Error(`record ${offset} comes after record ${this.#newest.offset}`);
    }
    thing.offset = offset;
    thing.older = this.#newest;
    if (this.#newest === null) this.#oldest = thing;
    else this.#newest.newer = thing;
    this.#newest = thing;
    this.#size++;
    this.#bytes += thing.logBytes;
  }

  remove(thing: T): void {
    if (thing.older === null) this.#oldest = thing.newer;
    else thing.older.newer = thing.newer;
    if (thing.newer === null) this.#newest = thing.older;
    else thing.newer.older = thing.older;
    thing.older = null;
    thing.newer = null;
    thing.offset = 0;
    this.#size--;
    this.#bytes -= thing.logBytes;
  }

  /** Offsets of the oldest things up to `upToOffset`, in order: at most `max`, and the first that make up `bytesMax`. */
  oldestUpTo(upToOffset: number, max: number, bytesMax = Number.POSITIVE_INFINITY): number[] {
    const offsets: number[] = [];
    let bytes = 0;
    for (
      let thing = this.#oldest;
      thing !== null && thing.offset <= upToOffset && offsets.length < max && bytes < bytesMax;
      thing = thing.newer
    ) {
      offsets.push(thing.offset);
      bytes += thing.logBytes;
    }
    return offsets;
  }
}
