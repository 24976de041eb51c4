/**
 * The broker's core: `(state, event, now) -> effects`. It knows neither sockets nor files nor
 * clocks, so that live traffic, replay, tests and simulation run the very same code.
 */

import type { NetEvent, Now } from '../events.ts';
import { Core, type CoreOptions, type Effect, jobsPerEventMax } from './core.ts';
import { deliverReady } from './delivery.ts';
import { enqueue } from './enqueue.ts';
import { handleRequest } from './handlers.ts';
import { decodeRecord } from './records.ts';
import {
  connectionClosed,
  expireLeases,
  expireSessions,
  openSession,
  restoreSessions,
} from './sessions.ts';

export class QueueMachine {
  readonly #core: Core;
  /** True when a bound stopped the last pass and there is more to do at once. */
  #more = false;

  constructor(options: CoreOptions) {
    this.#core = new Core(options);
  }

  /** Applies a record of the log; only before `start`. */
  replay(record: Uint8Array): void {
    this.#core.store.apply(decodeRecord(record));
  }

  /** Begins a new epoch after replay and gives the leases of the log time to be resumed. */
  start(now: Now): Effect[] {
    this.#wakeDelayed(now, Number.POSITIVE_INFINITY);
    this.#core.store.afterReplay();
    restoreSessions(this.#core, now);
    this.#core.commit({
      kind: 'epochStarted',
      epoch: this.#core.store.epoch + 1,
      atMs: now.wallMs,
    });
    return this.#core.takeEffects();
  }

  /** Handles what arrived, in order, then hands out what is ready. */
  handle(events: readonly NetEvent[], now: Now): Effect[] {
    for (const event of events) this.#handleOne(event, now);
    return this.tick(now);
  }

  /** Does what is due: delays, lost sessions, expired leases, deliveries. */
  tick(now: Now): Effect[] {
    const core = this.#core;
    expireSessions(core, now, jobsPerEventMax);
    expireLeases(core, now, jobsPerEventMax);
    this.#wakeDelayed(now, jobsPerEventMax);
    this.#more = !deliverReady(core, now);
    return core.takeEffects();
  }

  /** Milliseconds until `tick` has something to do, or null when only an event can bring that. */
  nextDueMs(now: Now): number | null {
    if (this.#more) return 0;
    const { store, leaseDeadlines, resumeDeadlines } = this.#core;
    const dues = [
      msUntil(store.delayed.earliestMs, now.wallMs),
      msUntil(leaseDeadlines.earliestMs, now.monotonicMs),
      msUntil(resumeDeadlines.earliestMs, now.monotonicMs),
    ].filter((due) => due !== null);
    return dues.length === 0 ? null : Math.max(0, Math.min(...dues));
  }

  /** Sessions that are connected or hold leases; a broker without any is idle. */
  get sessionCount(): number {
    return this.#core.sessions.size;
  }

  /** Jobs known, finished ones included. */
  get jobCount(): number {
    return this.#core.store.jobs.size;
  }

  #wakeDelayed(now: Now, jobsMax: number): void {
    const { store } = this.#core;
    for (let count = 0; count < jobsMax; count++) {
      const job = store.delayed.popDue(now.wallMs);
      if (job === undefined) return;
      if (job.state === 'delayed' && job.dueAtMs <= now.wallMs) store.makeReady(job);
    }
  }

  #handleOne(event: NetEvent, now: Now): void {
    switch (event.type) {
      case 'opened':
        openSession(this.#core, event);
        break;
      case 'closed':
        connectionClosed(this.#core, event.connection, now);
        break;
      case 'enqueue':
        enqueue(this.#core, event, now);
        break;
      case 'request': {
        // A connection that was taken over may still have sent something.
        const session = this.#core.connections.get(event.connection);
        if (session !== undefined) handleRequest(this.#core, session, event, now);
        break;
      }
    }
  }
}

function msUntil(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : atMs - nowMs;
}
