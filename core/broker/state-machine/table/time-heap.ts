/** With no more entries than this a sweep is not worth it. */
const unsweptMax = 1024;
/** Entries that one sweep checks. */
const scansMin = 32;
const denseScans = 1000;

/**
 * A binary heap of items by due time: 16 bytes each when they are numbers (jobs are named by their
 * acceptance numbers). Entries are never searched: an outdated one stays until it is due, and the
 * caller then finds that it no longer applies, or until a sweep removes it.
 */
export class TimeHeap<T> {
  readonly #times: number[] = [];
  readonly #items: T[] = [];
  /** Where the next sweep begins, and whether the last one removed many. */
  #swept = 0;
  #isDense = false;

  get length(): number {
    return this.#times.length;
  }

  /** Time of the earliest entry, or null when there is none. */
  get earliestMs(): number | null {
    return this.#times[0] ?? null;
  }

  push(atMs: number, item: T): void {
    this.#times.push(atMs);
    this.#items.push(item);
    this.#rise(this.#times.length - 1, atMs, item);
  }

  /** Removes and returns the earliest item when it is due at `nowMs`. */
  popDue(nowMs: number): T | undefined {
    const first = this.#items[0];
    if (first === undefined || this.#time(0) > nowMs) return undefined;
    const atMs = this.#times.pop();
    const item = this.#items.pop();
    if (atMs !== undefined && item !== undefined && this.#times.length > 0) {
      this.#sink(0, atMs, item);
    }
    return first;
  }

  /**
   * Checks some entries, each time the next ones, and removes those that no longer apply: few entries
   * when the last sweep removed few, many when it removed many; returns whether this one removed many.
   */
  sweep(applies: (item: T, atMs: number) => boolean): boolean {
    if (this.length <= unsweptMax) return false;
    const scans = Math.min(this.length, this.#isDense ? denseScans : scansMin);
    let removed = 0;
    for (let scan = 0; scan < scans; scan++) {
      if (this.#swept >= this.length) this.#swept = 0;
      const index = this.#swept;
      if (applies(this.#item(index), this.#time(index))) this.#swept++;
      else {
        this.#removeAt(index);
        removed++;
      }
    }
    this.#isDense = 2 * removed > scans;
    return this.#isDense;
  }

  #removeAt(index: number): void {
    const atMs = this.#times.pop();
    const item = this.#items.pop();
    if (atMs === undefined || item === undefined || index === this.length) return;
    const parent = (index - 1) >> 1;
    if (index > 0 && this.#time(parent) > atMs) this.#rise(index, atMs, item);
    else this.#sink(index, atMs, item);
  }

  #rise(from: number, atMs: number, item: T): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#time(parent) <= atMs) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, atMs, item);
  }

  #sink(from: number, atMs: number, item: T): void {
    const { length } = this.#times;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#time(child + 1) < this.#time(child)) child++;
      if (this.#time(child) >= atMs) break;
      this.#move(child, index);
      index = child;
    }
    this.#put(index, atMs, item);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#time(from), this.#item(from));
  }

  #put(index: number, atMs: number, item: T): void {
    this.#times[index] = atMs;
    this.#items[index] = item;
  }

  #time(index: number): number {
    return this.#times[index] ?? Number.POSITIVE_INFINITY;
  }

  #item(index: number): T {
    return this.#items[index] as T;
  }
}
