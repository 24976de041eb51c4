/**
 * A binary heap of things that become due: 16 bytes each when they are numbers (jobs are named by
 * their acceptance numbers). Entries are never searched: an outdated one stays until it comes up,
 * and the caller then finds that it no longer applies.
 */
export class TimeHeap<T> {
  readonly #times: number[] = [];
  readonly #items: T[] = [];

  get length(): number {
    return this.#times.length;
  }

  /** Time of the earliest entry, or null when there is none. */
  get earliestMs(): number | null {
    return this.#times[0] ?? null;
  }

  push(atMs: number, item: T): void {
    let index = this.#times.length;
    this.#times.push(atMs);
    this.#items.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#time(parent) <= atMs) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, atMs, item);
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

  /** Forgets all items to which the test does not apply, in time proportional to their number. */
  retain(applies: (item: T) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.#items.length; index++) {
      if (applies(this.#item(index))) this.#move(index, kept++);
    }
    this.#times.length = kept;
    this.#items.length = kept;
    for (let index = (kept >> 1) - 1; index >= 0; index--) {
      this.#sink(index, this.#time(index), this.#item(index));
    }
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
