/** Sessions and the leases that they hold: the part of the state that is not in the log. */

import type { ConnectionId, Transport } from '../../events.ts';
import type { JobEntry } from '../state/job-entry.ts';
import type { NamedCount } from '../state/named-queue.ts';

/** Most leases of one session, so that losing it touches no more jobs than one event may. */
export const creditMax = 1000;
/** A session that holds this many bytes of jobs gets no more, whatever its credit. */
export const leasedBytesMax: number = 64 * 1024 * 1024;

/** A consumer (or producer) across its connections. */
export interface Session {
  readonly id: string;
  connection: ConnectionId | null;
  transport: Transport;
  /** The name that it gave itself. */
  client: string;
  /** Largest frame that the client takes. */
  frameBytesMax: number;
  queues: readonly string[];
  credit: number;
  /** By the acceptance number of the job. */
  readonly leases: Map<number, Lease>;
  /** Bytes of the jobs it holds. */
  leasedBytes: number;
  /** Without a connection: when its leases are lost, monotonic clock. */
  resumeUntilMs: number;
  /** Which of its queues is served next. */
  turn: number;
  /** False once none of its queues had a job, until one of them has. */
  mayFind: boolean;
  /** Deliver frames on their way, by number, oldest first: their leases have not begun. */
  readonly frames: Map<number, Frame>;
  /** It may name new queues while it has named fewer than are free, so that some are left for others. */
  readonly named: NamedCount;
}

/** A Deliver frame on its way. */
interface Frame {
  readonly bytes: number;
  readonly leases: readonly Lease[];
}

/** A session's exclusive right to one delivery, until the deadline on the monotonic clock. */
export interface Lease {
  readonly job: JobEntry;
  readonly seq: number;
  readonly session: Session;
  readonly bytes: number;
  deadlineMs: number;
  /** It is not renewed beyond that. */
  endsAtMs: number;
  ended: boolean;
}

/**
 * The sessions that subscribe to each queue. A session that found no job in any of its queues is not
 * searched again before one of them has some, so idle subscriptions cost nothing.
 */
export class Subscriptions {
  readonly #sessionsOf: Map<string, Set<Session>> = new Map();

  /** Replaces the session's subscription: its queues, and its credit. */
  set(session: Session, queues: readonly string[], credit: number): void {
    for (const name of session.queues) {
      const sessions = this.#sessionsOf.get(name);
      sessions?.delete(session);
      if (sessions?.size === 0) this.#sessionsOf.delete(name);
    }
    session.queues = [...new Set(queues)];
    session.credit = credit;
    session.mayFind = true;
    for (const name of session.queues) {
      const sessions = this.#sessionsOf.get(name) ?? new Set();
      this.#sessionsOf.set(name, sessions.add(session));
    }
  }

  /** These queues have jobs that can be handed out; empties the set. */
  wake(queues: Set<string>): void {
    for (const name of queues) {
      for (const session of this.#sessionsOf.get(name) ?? []) session.mayFind = true;
    }
    queues.clear();
  }
}
