/** A first-in first-out line with removal from the middle, each in constant time (amortised). */

/** Where an entry stands in its line; kept by the entry itself so that removal needs no search. */
export interface Queued {
  /** Position in the line, or -1 when it stands in none. */
  position: number;
}

const compactAbove = 1024;

export class Fifo<T extends Queued> {
  #slots: (T | null)[] = [];
  #head = 0;
  #length = 0;
  /** Positions are absolute; this is the position of slot 0. */
  #base = 0;

  get length(): number {
    return this.#length;
  }

  push(entry: T): void {
    entry.position = this.#base + this.#slots.length;
    this.#slots.push(entry);
    this.#length++;
  }

  /** The first entry, left in place. */
  peek(): T | undefined {
    while (this.#head < this.#slots.length) {
      const entry = this.#slots[this.#head];
      if (entry !== null) return entry;
      this.#head++;
    }
    return undefined;
  }

  remove(entry: T): void {
    const slot = entry.position - this.#base;
    if (entry.position < 0 || this.#slots[slot] !== entry) {
      throw new Error('the entry does not stand in this line');
    }
    this.#slots[slot] = null;
    entry.position = -1;
    this.#length--;
    this.#compact();
  }

  /** Puts the entries in a new order; used once, after replay. */
  sort(compare: (left: T, right: T) => number): void {
    const entries = this.#slots.filter((entry) => entry !== null).sort(compare);
    this.#slots = [];
    this.#head = 0;
    this.#base = 0;
    this.#length = 0;
    for (const entry of entries) this.push(entry);
  }

  #compact(): void {
    while (this.#head < this.#slots.length && this.#slots[this.#head] === null) this.#head++;
    if (this.#head < compactAbove || this.#head * 2 < this.#slots.length) return;
    this.#slots.splice(0, this.#head);
    this.#base += this.#head;
    this.#head = 0;
  }
}
