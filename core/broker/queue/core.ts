/**
 * The state that the request handlers share: jobs, sessions and waiting clients, and the effects
 * that pile up while an event is handled. Synchronous and deterministic: no clock, no disk, no
 * randomness; time comes in with each event.
 */

import type { JobInfo, Message, MessageName, QueueInfo } from '../../protocol/index.ts';
import type { ConnectionId, Now, Outgoing, Transport } from '../events.ts';
import { infoBytesMax, infoOf, infosBytesMax, isFinished, type JobEntry } from './job-entry.ts';
import { JobStore } from './job-store.ts';
import { encodeRecord, type LogRecord } from './records.ts';
import { TimeHeap } from './time-heap.ts';
import { WaitList } from './wait-list.ts';

/** What the core wants done, in order. Everything sent waits until the records before it are durable. */
export type Effect =
  | { readonly type: 'append'; readonly record: Uint8Array }
  | { readonly type: 'send'; readonly outgoing: Outgoing }
  | {
      readonly type: 'stats';
      readonly connection: ConnectionId;
      readonly correlationId: number;
      readonly queues: QueueInfo[];
    }
  | { readonly type: 'shutdown' };

export interface CoreOptions {
  /** The broker's own id, told in HelloOk. */
  readonly brokerId: string;
  /** Name and version, told in HelloOk. */
  readonly software: string;
  /** How long a lease lasts without Extend. */
  readonly leaseMs: number;
  /** How long a session outlives its connection, by transport. */
  readonly resumeMs: Readonly<Record<Transport, number>>;
  /** Most jobs, finished ones included. */
  readonly jobsMax: number;
  /** Most bytes of jobs that are not finished: they are held in memory. */
  readonly liveBytesMax: number;
  /** Most uncharged returns of one job before it is dead-lettered. */
  readonly returnsMax: number;
}

export const coreDefaults = {
  leaseMs: 30_000,
  resumeMs: { unix: 2_000, tcp: 10_000 },
  jobsMax: 5_000_000,
  liveBytesMax: 1024 * 1024 * 1024,
  returnsMax: 1000,
} as const;

/** Most leases of one session, so that losing it touches no more jobs than one event may. */
export const creditMax = 1000;
/** A session that holds this many bytes of jobs gets no more, whatever its credit. */
export const leasedBytesMax: number = 64 * 1024 * 1024;
/** Deadlines of ended leases that are kept, above as many as there are leases. */
const endedLeasesMax = 1024;
/** Most jobs that one event may touch. */
export const jobsPerEventMax = 1000;

/** A consumer (or producer) across its connections. */
export interface Session {
  readonly id: string;
  connection: ConnectionId | null;
  transport: Transport;
  /** Largest frame that the client takes. */
  frameBytesMax: number;
  queues: readonly string[];
  credit: number;
  readonly leases: Map<string, Lease>;
  /** Bytes of the jobs it holds. */
  leasedBytes: number;
  /** Without a connection: when its leases are lost, monotonic clock. */
  resumeUntilMs: number;
  /** Which of its queues is served next. */
  turn: number;
}

/** A session's exclusive right to one delivery, until the deadline on the monotonic clock. */
export interface Lease {
  readonly job: JobEntry;
  readonly session: Session;
  deadlineMs: number;
  ended: boolean;
}

export class Core {
  readonly options: CoreOptions;
  readonly store: JobStore = new JobStore();
  /** In the order in which they are served. */
  readonly sessions: Map<string, Session> = new Map();
  readonly connections: Map<ConnectionId, Session> = new Map();
  /** Leases by deadline; a renewed one is pushed again when its old entry comes up. */
  readonly leaseDeadlines: TimeHeap<Lease> = new TimeHeap();
  /** Sessions without a connection by the end of their resume window. */
  readonly resumeDeadlines: TimeHeap<Session> = new TimeHeap();
  /** Clients that wait for a job to finish. */
  readonly waiting: WaitList = new WaitList();
  /** Connections that hear of every change, by queue; an empty set means all queues. */
  readonly watchers: Map<ConnectionId, ReadonlySet<string>> = new Map();
  /** Changes of the present event, by watcher, and how many bytes they take at most. */
  readonly #changes: Map<ConnectionId, { readonly jobs: JobInfo[]; bytes: number }> = new Map();
  #effects: Effect[] = [];
  #leaseCount = 0;

  constructor(options: CoreOptions) {
    this.options = options;
  }

  /** Logs a decision and applies it at once; its effects are revealed when it is durable. */
  commit(record: LogRecord): void {
    this.#effects.push({ type: 'append', record: encodeRecord(record) });
    this.store.apply(record);
    const job = jobOfRecord(this.store, record);
    if (job === undefined) return;
    this.#tellWaiting(job);
    this.#tellWatchers(job);
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  send<N extends MessageName>(
    connection: ConnectionId,
    correlationId: number,
    name: N,
    fields: Message<N>,
  ): void {
    const outgoing: Outgoing<N> = { connection, correlationId, name, fields };
    this.#effects.push({ type: 'send', outgoing: outgoing as unknown as Outgoing });
  }

  /** Sends a last message and lets the connection be closed once it left. */
  sendAndClose<N extends MessageName>(
    connection: ConnectionId,
    correlationId: number,
    name: N,
    fields: Message<N>,
  ): void {
    const outgoing: Outgoing<N> = { connection, correlationId, name, fields, thenClose: true };
    this.connections.delete(connection);
    this.#effects.push({ type: 'send', outgoing: outgoing as unknown as Outgoing });
  }

  takeEffects(): Effect[] {
    for (const connection of this.#changes.keys()) this.#sendChanges(connection);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The session got something: others come first the next time. */
  toTheBack(session: Session): void {
    this.sessions.delete(session.id);
    this.sessions.set(session.id, session);
  }

  /** Records a new lease of `job`, which was just delivered. */
  addLease(session: Session, job: JobEntry, now: Now): void {
    const deadlineMs = now.monotonicMs + this.options.leaseMs;
    const lease: Lease = { job, session, deadlineMs, ended: false };
    session.leases.set(job.id, lease);
    session.leasedBytes += job.bodyBytes;
    this.leaseDeadlines.push(deadlineMs, lease);
    this.#leaseCount++;
  }

  /** Forgets a lease whose job was settled, lost or cancelled. */
  dropLease(job: JobEntry): void {
    const session = job.session === null ? undefined : this.sessions.get(job.session);
    const lease = session?.leases.get(job.id);
    if (session === undefined || lease === undefined) return;
    lease.ended = true;
    session.leases.delete(job.id);
    session.leasedBytes -= job.bodyBytes;
    this.#leaseCount--;
    this.#forgetEndedLeases();
  }

  /** Deadlines of ended leases would pile up until they are due: a lease time's worth of jobs. */
  #forgetEndedLeases(): void {
    if (this.leaseDeadlines.length <= 2 * this.#leaseCount + endedLeasesMax) return;
    this.leaseDeadlines.retain((lease) => !lease.ended);
  }

  #tellWaiting(job: JobEntry): void {
    if (!isFinished(job.state)) return;
    for (const { connection, correlationId } of this.waiting.take(job.id)) {
      this.send(connection, correlationId, 'WaitOk', { job: infoOf(job) });
    }
  }

  /** Changes of one event leave as one frame for each watcher. */
  #tellWatchers(job: JobEntry): void {
    for (const [connection, queues] of this.watchers) {
      if (queues.size > 0 && !queues.has(job.queue)) continue;
      const bytes = infoBytesMax(job);
      const changes = this.#changes.get(connection) ?? { jobs: [], bytes: 0 };
      if (changes.bytes + bytes > infosBytesMax) this.#sendChanges(connection);
      changes.jobs.push(infoOf(job));
      changes.bytes += bytes;
      this.#changes.set(connection, changes);
    }
  }

  #sendChanges(connection: ConnectionId): void {
    const changes = this.#changes.get(connection);
    if (changes === undefined) return;
    this.send(connection, 0, 'JobEvents', { jobs: changes.jobs.splice(0) });
    changes.bytes = 0;
    this.#changes.delete(connection);
  }
}

/** The job that a record is about, after it was applied; undefined when it is about none. */
function jobOfRecord(store: JobStore, record: LogRecord): JobEntry | undefined {
  if ('id' in record) return store.jobs.get(record.id);
  return record.kind === 'enqueued' ? store.bySeq.at(-1) : undefined;
}
