/**
 * A binary heap of things that become due. Entries are never searched: an outdated one stays until
 * it comes up, and the caller then finds that it no longer applies.
 */

interface Due<T> {
  readonly atMs: number;
  readonly item: T;
}

export class TimeHeap<T> {
  readonly #entries: Due<T>[] = [];

  get length(): number {
    return this.#entries.length;
  }

  /** Time of the earliest entry, or null when there is none. */
  get earliestMs(): number | null {
    return this.#entries[0]?.atMs ?? null;
  }

  push(atMs: number, item: T): void {
    const entries = this.#entries;
    const entry = { atMs, item };
    let index = entries.length;
    entries.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = entries[parent];
      if (above === undefined || above.atMs <= atMs) break;
      entries[index] = above;
      index = parent;
    }
    entries[index] = entry;
  }

  /** Removes and returns the earliest entry when it is due at `nowMs`. */
  popDue(nowMs: number): T | undefined {
    const first = this.#entries[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.#entries.pop();
    if (last !== undefined && this.#entries.length > 0) this.#sink(last);
    return first.item;
  }

  /** Forgets all other entries, in time proportional to their number. */
  retain(applies: (item: T) => boolean): void {
    const entries = this.#entries;
    let kept = 0;
    for (const entry of entries) {
      if (applies(entry.item)) entries[kept++] = entry;
    }
    entries.length = kept;
    for (let index = (kept >> 1) - 1; index >= 0; index--) {
      const entry = entries[index];
      if (entry !== undefined) this.#sink(entry, index);
    }
  }

  #sink(entry: Due<T>, from = 0): void {
    const entries = this.#entries;
    let index = from;
    for (;;) {
      const left = 2 * index + 1;
      const child = this.#smaller(left, left + 1);
      const below = entries[child];
      if (below === undefined || below.atMs >= entry.atMs) break;
      entries[index] = below;
      index = child;
    }
    entries[index] = entry;
  }

  #smaller(left: number, right: number): number {
    const leftMs = this.#entries[left]?.atMs ?? Number.POSITIVE_INFINITY;
    const rightMs = this.#entries[right]?.atMs ?? Number.POSITIVE_INFINITY;
    return rightMs < leftMs ? right : left;
  }
}
