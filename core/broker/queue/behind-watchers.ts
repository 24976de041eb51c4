/** Jobs that changed and that watchers are still to be told of, by number: bounded over all watchers. */

import type { ConnectionId } from '../events.ts';

/** Jobs for all watchers together. */
const jobsMax = 200_000;
/** What a watcher may be behind by however far others are. */
const shareMin = 1_000;

export class BehindWatchers {
  readonly #jobs: Map<ConnectionId, Set<number>> = new Map();
  #count = 0;

  countOf(connection: ConnectionId): number {
    return this.#jobs.get(connection)?.size ?? 0;
  }

  /** Keeps a job once, however often it changes. Returns false when the watcher is behind too far. */
  add(connection: ConnectionId, seq: number): boolean {
    const jobs = this.#jobs.get(connection) ?? new Set();
    if (jobs.has(seq)) return true;
    if (jobs.size >= Math.max(shareMin, (jobsMax - this.#count) / 4)) return false;
    this.#jobs.set(connection, jobs.add(seq));
    this.#count += 1;
    return true;
  }

  /** Takes the jobs that wait longest. */
  take(connection: ConnectionId, countMax: number): number[] {
    const jobs = this.#jobs.get(connection);
    if (jobs === undefined) return [];
    const taken: number[] = [];
    for (const seq of jobs) {
      if (taken.length === countMax) break;
      taken.push(seq);
      jobs.delete(seq);
    }
    this.#count -= taken.length;
    if (jobs.size === 0) this.#jobs.delete(connection);
    return taken;
  }

  forget(connection: ConnectionId): void {
    this.#count -= this.countOf(connection);
    this.#jobs.delete(connection);
  }
}
