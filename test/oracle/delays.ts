/**
 * Jobs that wait for the wall clock. That a delay ran out is no record, and a clock that is set back
 * afterwards puts nobody to sleep again.
 */

import type { BookJob } from './book.ts';

export class Delays {
  readonly #due = new Map<string, number>();
  readonly #woken = new Set<string>();

  /** A new life of the broker: it knows only the clock and the log. */
  restarted(jobs: Iterable<BookJob>): void {
    this.#due.clear();
    this.#woken.clear();
    for (const job of jobs) this.changed(job);
  }

  /** The job is as it is from now on. */
  changed({ id, state, dueAtMs }: BookJob): void {
    if (state !== 'delayed') return;
    this.#woken.delete(id);
    this.#due.set(id, dueAtMs);
  }

  /** The clock shows this time. */
  wake(wallMs: number): void {
    for (const [id, dueAtMs] of this.#due) {
      if (dueAtMs > wallMs) continue;
      this.#due.delete(id);
      this.#woken.add(id);
    }
  }

  /** Whether the clock has shown the time for which the job waits. */
  isOver(job: BookJob): boolean {
    return this.#woken.has(job.id);
  }
}
