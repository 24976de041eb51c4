/** Clients that wait for a job to finish: found by the job when it does, by the connection when it closes. */

import type { ConnectionId } from '../events.ts';

/** Whom to answer: a request of a connection. */
export interface Waiter {
  readonly connection: ConnectionId;
  readonly correlationId: number;
}

export class WaitList {
  readonly #byJob: Map<string, Map<ConnectionId, Waiter[]>> = new Map();
  readonly #jobsOf: Map<ConnectionId, Set<string>> = new Map();

  /** Jobs that somebody waits for. */
  get jobCount(): number {
    return this.#byJob.size;
  }

  /** Jobs that a connection waits for. */
  countOf(connection: ConnectionId): number {
    return this.#jobsOf.get(connection)?.size ?? 0;
  }

  add(id: string, waiter: Waiter): void {
    const { connection } = waiter;
    const ofJob = this.#byJob.get(id) ?? new Map<ConnectionId, Waiter[]>();
    const waiters = ofJob.get(connection) ?? [];
    const jobs = this.#jobsOf.get(connection) ?? new Set();
    waiters.push(waiter);
    this.#byJob.set(id, ofJob.set(connection, waiters));
    this.#jobsOf.set(connection, jobs.add(id));
  }

  /** Removes and returns those who wait for the job. */
  take(id: string): Waiter[] {
    const ofJob = this.#byJob.get(id);
    if (ofJob === undefined) return [];
    this.#byJob.delete(id);
    for (const connection of ofJob.keys()) {
      const jobs = this.#jobsOf.get(connection);
      jobs?.delete(id);
      if (jobs?.size === 0) this.#jobsOf.delete(connection);
    }
    return [...ofJob.values()].flat();
  }

  /** The connection is gone: nothing of it waits any more. */
  forget(connection: ConnectionId): void {
    for (const id of this.#jobsOf.get(connection) ?? []) {
      const ofJob = this.#byJob.get(id);
      ofJob?.delete(connection);
      if (ofJob?.size === 0) this.#byJob.delete(id);
    }
    this.#jobsOf.delete(connection);
  }
}
