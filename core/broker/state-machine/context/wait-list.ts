/** Clients that wait for a job to finish: found by the job when it does, by the connection when it closes. */

import type { ConnectionId } from '../../events.ts';

export class WaitList {
  /** By job and connection: the requests that are to be answered. */
  readonly #byJob: Map<string, Map<ConnectionId, number[]>> = new Map();
  readonly #jobsOf: Map<ConnectionId, Set<string>> = new Map();
  readonly #counts: Map<ConnectionId, number> = new Map();
  #count = 0;

  /** Waits of all connections. */
  get count(): number {
    return this.#count;
  }

  /** Jobs for which a client waits. */
  get jobCount(): number {
    return this.#byJob.size;
  }

  /** Waits of a connection, several for one job among them. */
  countOf(connection: ConnectionId): number {
    return this.#counts.get(connection) ?? 0;
  }

  add(id: string, connection: ConnectionId, correlationId: number): void {
    const ofJob = this.#byJob.get(id) ?? new Map<ConnectionId, number[]>();
    const waiters = ofJob.get(connection) ?? [];
    const jobs = this.#jobsOf.get(connection) ?? new Set();
    waiters.push(correlationId);
    this.#byJob.set(id, ofJob.set(connection, waiters));
    this.#jobsOf.set(connection, jobs.add(id));
    this.#counts.set(connection, this.countOf(connection) + 1);
    this.#count += 1;
  }

  /** Removes and returns the waits for the job. */
  take(id: string): ReadonlyMap<ConnectionId, readonly number[]> {
    const ofJob = this.#byJob.get(id);
    if (ofJob === undefined) return new Map();
    this.#byJob.delete(id);
    for (const [connection, { length }] of ofJob) {
      this.#jobsOf.get(connection)?.delete(id);
      const left = this.countOf(connection) - length;
      this.#count -= length;
      this.#counts.set(connection, left);
      if (left === 0) this.forget(connection);
    }
    return ofJob;
  }

  /** Removes the waits of a connection that closed. */
  forget(connection: ConnectionId): void {
    for (const id of this.#jobsOf.get(connection) ?? []) {
      const ofJob = this.#byJob.get(id);
      ofJob?.delete(connection);
      if (ofJob?.size === 0) this.#byJob.delete(id);
    }
    this.#jobsOf.delete(connection);
    this.#count -= this.countOf(connection);
    this.#counts.delete(connection);
  }
}
