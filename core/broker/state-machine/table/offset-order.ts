/**
 * Items of the log in the order of their offsets, so that compaction finds the oldest at once. A doubly
 * linked list: constant time to add, to move and to remove.
 */

/** The position of an item in the log and its neighbours; only `OffsetOrder` changes it. */
export interface Logged<T> {
  /** Offset of the record that holds it; 0 when it was removed. */
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
   * Appends an item, or moves it to the end: the record at `offset`, the newest of all, holds it.
   * @throws Error when the offset is not the newest
   */
  place(item: T, offset: number): void {
    if (item.offset !== 0) this.remove(item);
    if (this.#newest !== null && this.#newest.offset >= offset) {
      throw new Error(`record ${offset} comes after record ${this.#newest.offset}`);
    }
    item.offset = offset;
    item.older = this.#newest;
    if (this.#newest === null) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    this.#size++;
    this.#bytes += item.logBytes;
  }

  remove(item: T): void {
    if (item.older === null) this.#oldest = item.newer;
    else item.older.newer = item.newer;
    if (item.newer === null) this.#newest = item.older;
    else item.newer.older = item.older;
    item.older = null;
    item.newer = null;
    item.offset = 0;
    this.#size--;
    this.#bytes -= item.logBytes;
  }

  /** Offsets of the oldest items up to `upToOffset`, in order: at most `max`, and the first that make up `bytesMax`. */
  oldestUpTo(upToOffset: number, max: number, bytesMax = Number.POSITIVE_INFINITY): number[] {
    const offsets: number[] = [];
    let bytes = 0;
    for (
      let item = this.#oldest;
      item !== null && item.offset <= upToOffset && offsets.length < max && bytes < bytesMax;
      item = item.newer
    ) {
      offsets.push(item.offset);
      bytes += item.logBytes;
    }
    return offsets;
  }
}
