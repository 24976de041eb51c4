/**
 * The feed of changes for all watchers: each change is kept once, however many watch. The newest are kept
 * as views; of earlier ones only the job's number, so that it is reported as it is by then.
 */

import type { JobView } from './job-view.ts';

/** Most changes that are kept, and most of them with their view. */
export const changesMax = 100_000;
const viewsMax = 1_000;

/** A change that may be reported to a watcher. */
export interface Change {
  readonly seq: number;
  /** The job as it was; null when only its number is kept. */
  readonly view: JobView | null;
}

export class ChangeFeed {
  /** Job numbers by change; `#dropped` more came before the first. */
  #seqs: number[] = [];
  #dropped = 0;
  /** Views of the newest changes, by change. */
  readonly #views: Map<number, JobView> = new Map();
  /** The newest change of each job that has one. */
  readonly #newestOf: Map<number, number> = new Map();

  /** How many changes there were so far: the number of the next one. */
  get count(): number {
    return this.#dropped + this.#seqs.length;
  }

  /** The first change that is kept. */
  get first(): number {
    return Math.max(this.#dropped, this.count - changesMax);
  }

  add(view: JobView): void {
    const number = this.count;
    this.#seqs.push(view.seq);
    this.#views.set(number, view);
    this.#newestOf.set(view.seq, number);
    this.#views.delete(number - viewsMax);
    this.#forget(number - changesMax);
    if (this.#seqs.length >= 2 * changesMax) {
      this.#dropped += changesMax;
      this.#seqs = this.#seqs.slice(changesMax);
    }
  }

  /** Null when the job changed again and only the later change is to be reported. */
  at(number: number): Change | null {
    const seq = this.#seqs[number - this.#dropped];
    if (seq === undefined) return null;
    const view = this.#views.get(number) ?? null;
    return view !== null || this.#newestOf.get(seq) === number ? { seq, view } : null;
  }

  /** Removes all changes, once there is no watcher. */
  clear(): void {
    this.#dropped = this.count;
    this.#seqs = [];
    this.#views.clear();
    this.#newestOf.clear();
  }

  #forget(number: number): void {
    const seq = this.#seqs[number - this.#dropped];
    if (seq !== undefined && this.#newestOf.get(seq) === number) this.#newestOf.delete(seq);
  }
}
