/**
 * First-in first-out lists whose links lie in the job table: constant time for push and for removal
 * from the middle, no memory of their own.
 */

import { type JobTable, linkColumns } from './job-table.ts';

/** The two columns that hold a list's links. A row is in at most one list of each kind. */
const links = {
  /** The list of a queue in which a job waits, or is kept. */
  list: { prev: linkColumns.listPrev, next: linkColumns.listNext },
  /** All jobs in the order of their `base` records in the log. */
  log: { prev: linkColumns.logPrev, next: linkColumns.logNext },
} as const;

export class RowList {
  readonly #table: JobTable;
  readonly #prev: number;
  readonly #next: number;
  #head = 0;
  #tail = 0;
  #length = 0;

  constructor(table: JobTable, kind: keyof typeof links) {
    this.#table = table;
    this.#prev = links[kind].prev;
    this.#next = links[kind].next;
  }

  get length(): number {
    return this.#length;
  }

  /** Row of the first entry; 0 when there is none. */
  get head(): number {
    return this.#head;
  }

  /** Row of the last entry; 0 when there is none. */
  get tail(): number {
    return this.#tail;
  }

  /** Row of the entry before `slot`; 0 at the beginning. */
  before(slot: number): number {
    return this.#table.getU32(slot, this.#prev);
  }

  /** Row of the entry behind `slot`; 0 at the end. */
  after(slot: number): number {
    return this.#table.getU32(slot, this.#next);
  }

  push(slot: number): void {
    this.#table.setU32(slot, this.#prev, this.#tail);
    this.#table.setU32(slot, this.#next, 0);
    if (this.#tail === 0) this.#head = slot;
    else this.#table.setU32(this.#tail, this.#next, slot);
    this.#tail = slot;
    this.#length++;
  }

  /** @throws Error when the row is not in this list */
  remove(slot: number): void {
    const prev = this.#table.getU32(slot, this.#prev);
    const next = this.#table.getU32(slot, this.#next);
    if ((prev === 0) !== (this.#head === slot) || (next === 0) !== (this.#tail === slot)) {
      throw new Error(`row ${slot} is not in this list`);
    }
    if (prev === 0) this.#head = next;
    else this.#table.setU32(prev, this.#next, next);
    if (next === 0) this.#tail = prev;
    else this.#table.setU32(next, this.#prev, prev);
    this.#length--;
  }

  /** Puts the rows in the order of `compare`; costs one pass when they are in order already. */
  sort(compare: (left: number, right: number) => number): void {
    if (this.#isSorted(compare)) return;
    const slots = new Uint32Array(this.#length);
    let count = 0;
    for (let slot = this.#head; slot !== 0; slot = this.after(slot)) slots[count++] = slot;
    slots.sort(compare);
    this.#head = 0;
    this.#tail = 0;
    this.#length = 0;
    for (const slot of slots) this.push(slot);
  }

  #isSorted(compare: (left: number, right: number) => number): boolean {
    let before = this.#head;
    if (before === 0) return true;
    for (let slot = this.after(before); slot !== 0; slot = this.after(slot)) {
      if (compare(before, slot) > 0) return false;
      before = slot;
    }
    return true;
  }
}
