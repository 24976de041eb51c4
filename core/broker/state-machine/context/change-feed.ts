/**
 * What changed, for all watchers: each change is kept once, however many watch. The newest ones as they
 * were; of earlier ones only which job, so that it is told as it is by then.
 */

import type { JobView } from './job-view.ts';

/** Changes that are kept, and those of them that are kept as they were. */
export const changesMax = 100_000;
const viewsMax = 1_000;

/** A change that a watcher may be told of. */
export interface Change {
  readonly seq: number;
  /** The job as it was; null when only its number is kept. */
  readonly picture: JobView | null;
}

export class Changes {
  /** Job numbers by change; `#dropped` more came before the first. */
  #seqs: number[] = [];
  #dropped = 0;
  /** Pictures of the newest changes, by change. */
  readonly #pictures: Map<number, JobView> = new Map();
  /** The newest change of each job that has one. */
  readonly #newestOf: Map<number, number> = new Map();

  /** How many came so far: the number of the next one. */
  get count(): number {
    return this.#dropped + this.#seqs.length;
  }

  /** Changes before that are forgotten. */
  get first(): number {
    return Math.max(this.#dropped, this.count - changesMax);
  }

  add(picture: JobView): void {
    const number = this.count;
    this.#seqs.push(picture.seq);
    this.#pictures.set(number, picture);
    this.#newestOf.set(picture.seq, number);
    this.#pictures.delete(number - viewsMax);
    this.#forget(number - changesMax);
    if (this.#seqs.length >= 2 * changesMax) {
      this.#dropped += changesMax;
      this.#seqs = this.#seqs.slice(changesMax);
    }
  }

  /** Null when the job changed again, and that is all that there is to tell. */
  at(number: number): Change | null {
    const seq = this.#seqs[number - this.#dropped];
    if (seq === undefined) return null;
    const picture = this.#pictures.get(number) ?? null;
    return picture !== null || this.#newestOf.get(seq) === number ? { seq, picture } : null;
  }

  /** Nobody watches: nothing is kept. */
  clear(): void {
    this.#dropped = this.count;
    this.#seqs = [];
    this.#pictures.clear();
    this.#newestOf.clear();
  }

  #forget(number: number): void {
    const seq = this.#seqs[number - this.#dropped];
    if (seq !== undefined && this.#newestOf.get(seq) === number) this.#newestOf.delete(seq);
  }
}
