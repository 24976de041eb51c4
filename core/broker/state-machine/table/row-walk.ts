/**
 * An iterator over a list that changes meanwhile: it meets the rows that were in the list when it began
 * and still are when it reaches them, and none that were added later.
 */

import type { RowList } from './row-list.ts';

export class RowWalk {
  readonly #rows: RowList;
  /** The row that is next, and the last one; 0 when there is none left. */
  #next: number;
  #last: number;

  constructor(rows: RowList) {
    this.#rows = rows;
    this.#next = rows.head;
    this.#last = rows.tail;
  }

  /** The next row; 0 at the end. */
  next(): number {
    const slot = this.#next;
    if (slot === this.#last) this.#end();
    else this.#next = this.#rows.after(slot);
    return slot;
  }

  /** To be called before a row is removed from a list, this one or another. */
  beforeRemoval(slot: number): void {
    if (slot === this.#next && slot === this.#last) this.#end();
    else if (slot === this.#next) this.#next = this.#rows.after(slot);
    else if (slot === this.#last) this.#last = this.#rows.before(slot);
  }

  #end(): void {
    this.#next = 0;
    this.#last = 0;
  }
}
