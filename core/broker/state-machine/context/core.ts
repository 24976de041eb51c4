/**
 * The state that the request handlers share: jobs, sessions and waiting clients, and the effects
 * that pile up while an event is handled. Synchronous and deterministic: no clock, no disk, no
 * randomness; time comes in with each event.
 */

import type { LeaseToken, Message, MessageName } from '../../../protocol/index.ts';
import type { ConnectionId, JobFacts, Transport } from '../../events.ts';
import { jobsOf } from '../records/changed-jobs.ts';
import { encodeRecord, type LogRecord } from '../records/records.ts';
import type { Blobs } from '../requests/blob-requests.ts';
import { BrokerState, type StateOptions } from '../state/broker-state.ts';
import { isFinished, isNewest, type JobEntry } from '../state/job-entry.ts';
import { TimeHeap } from '../table/time-heap.ts';
import { BulkRunner } from './bulk-runner.ts';
import { type Effect, type Fetch, nobody, outgoing } from './effects.ts';
import { viewOf } from './job-view.ts';
import { Notifications } from './notifications.ts';
import { ReadPause } from './read-pause.ts';
import type { Reply } from './request.ts';
import { SendQuota } from './send-quota.ts';
import { Subscriptions } from './subscriptions.ts';
import { answerUnreadable, unreadable } from './unreadable.ts';
import { WaitList } from './wait-list.ts';

export interface CoreOptions extends StateOptions {
  /** The broker's own id, told in HelloOk. */
  readonly brokerId: string;
  /** Name and version, told in HelloOk. */
  readonly software: string;
  /** How long a lease lasts without Extend. */
  readonly leaseMs: number;
  /** A lease ends after so long, however often it is renewed: no agent may take that long for a job. */
  readonly leaseAgeMsMax: number;
  /** How long a session outlives its connection, by transport. */
  readonly resumeMs: Readonly<Record<Transport, number>>;
  /** Most jobs, finished ones included: each takes about 140 bytes of memory. */
  readonly jobsMax: number;
  /** Most bytes of jobs that are neither done nor cancelled. */
  readonly bytesMax: number;
  /** Most queues ever named. */
  readonly queuesMax: number;
  /** Most times that the holder of one job may vanish before the job is dead-lettered. */
  readonly crashesMax: number;
  /** Most uncharged returns of one job before it is dead-lettered, and for how long. */
  readonly returnsMax: number;
  readonly returnsMsMax: number;
  /** How long, and how many, done and cancelled jobs of a queue are kept. */
  readonly keepMs: number;
  readonly keepJobs: number;
}

const dayMs = 24 * 3_600_000;

export const coreDefaults = {
  leaseMs: 30_000,
  leaseAgeMsMax: 31 * dayMs,
  resumeMs: { unix: 2_000, tcp: 10_000 },
  jobsMax: 5_000_000,
  bytesMax: 1024 ** 4,
  queuesMax: 10_000,
  crashesMax: 100,
  returnsMax: 1000,
  returnsMsMax: 7 * dayMs,
  keepMs: 30 * dayMs,
  keepJobs: 1_000_000,
} as const;

/** Most leases of one session, so that losing it touches no more jobs than one event may. */
export const creditMax = 1000;
/** A session that holds this many bytes of jobs gets no more, whatever its credit. */
export const leasedBytesMax: number = 64 * 1024 * 1024;
/** Most jobs that one step changes of what is due, or hands out. */
export const jobsPerStepMax = 250;

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
}

/** What a Deliver frame on its way holds. */
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

export class Core {
  readonly options: CoreOptions;
  readonly state: BrokerState;
  /** In the order in which they are served. */
  readonly sessions: Map<string, Session> = new Map();
  readonly connections: Map<ConnectionId, Session> = new Map();
  /** Leases by deadline; a renewed one is pushed again when its old entry comes up. */
  readonly leaseDeadlines: TimeHeap<Lease> = new TimeHeap();
  /** Sessions without a connection by the end of their resume window. */
  readonly resumeDeadlines: TimeHeap<Session> = new TimeHeap();
  /** Clients that wait for a job to finish. */
  readonly waiting: WaitList = new WaitList();
  readonly subscriptions: Subscriptions = new Subscriptions();
  readonly notifications: Notifications = new Notifications();
  readonly unsent: SendQuota = new SendQuota();
  /** While the log has no room nothing is accepted and nothing delivered. */
  diskFull = false;
  /** Why it has none. */
  fullReason = '';
  /** While it is full and little is left: only what ends leases is taken, without values. */
  diskScarce = false;
  readonly readPause: ReadPause = new ReadPause(jobsPerStepMax);
  /** Offset of the newest record. */
  offset = 0;
  /** More could be told to watchers at once. */
  moreToNotify = false;
  /** Number of the next Deliver frame. */
  nextFrame = 1;
  readonly #leases: Map<number, Lease> = new Map();
  #effects: Effect[] = [];
  readonly blobs: Blobs;
  readonly bulks: BulkRunner;

  constructor(options: CoreOptions) {
    this.options = options;
    this.state = new BrokerState(options);
    const { blobs: store, uploads } = this.state;
    this.blobs = { store, uploads, bytesMax: options.bytesMax };
    this.bulks = new BulkRunner(this.state, this);
  }

  /**
   * Logs a decision and applies it at once; its effects are revealed when it is durable. Returns
   * the record's offset. `facts` are those of newly enqueued jobs, decoded already.
   */
  commit(record: LogRecord, facts?: readonly JobFacts[]): number {
    const bytes = encodeRecord(record);
    this.#effects.push({ type: 'append', record: bytes });
    this.offset++;
    this.state.apply(record, { offset: this.offset, bytes: bytes.length }, facts);
    this.#tell(record);
    return this.offset;
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** Reads records of the log and goes on with what they hold. */
  read(fetch: Fetch): void {
    this.#effects.push({ type: 'fetch', fetch, connection: nobody, isAnswer: false });
  }

  /** The same for something that is sent to a connection, in its place in line. */
  readFor(connection: ConnectionId, fetch: Fetch, isAnswer = false): void {
    this.#effects.push({ type: 'fetch', fetch, connection, isAnswer });
  }

  /** Answers a request from records of the log. */
  fetch(
    connection: ConnectionId,
    correlationId: number,
    offsets: readonly number[],
    then: (records: readonly Uint8Array[]) => Reply,
  ): void {
    const use: Fetch['use'] = (records) => {
      const readable = records.filter((record) => record !== null);
      const { name, fields } = readable.length === records.length ? then(readable) : unreadable();
      return [{ type: 'send', outgoing: outgoing(connection, correlationId, name, fields) }];
    };
    const unread = answerUnreadable(connection, correlationId);
    this.readFor(connection, { offsets, use, unread }, true);
  }

  send<N extends MessageName>(
    connection: ConnectionId,
    correlationId: number,
    name: N,
    fields: Message<N>,
  ): void {
    this.#effects.push({
      type: 'send',
      outgoing: outgoing(connection, correlationId, name, fields),
    });
  }

  /** Sends a last message and lets the connection be closed once it left. */
  sendAndClose<N extends MessageName>(
    connection: ConnectionId,
    correlationId: number,
    name: N,
    fields: Message<N>,
  ): void {
    const last = { ...outgoing(connection, correlationId, name, fields), thenClose: true };
    this.connections.delete(connection);
    this.#effects.push({ type: 'send', outgoing: last });
  }

  takeEffects(): Effect[] {
    this.moreToNotify = !this.notifications.flush(this);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The session is over: what it uploaded has only a little time left to be gone on with. */
  forgetSession(session: Session): void {
    this.subscriptions.set(session, [], 0);
    this.sessions.delete(session.id);
    this.state.uploads.sessionEnded(session.id);
  }

  /** The session got something: others come first the next time. */
  rotate(session: Session): void {
    this.sessions.delete(session.id);
    this.sessions.set(session.id, session);
  }

  /** Records a new lease of a job; its time does not run before `beginLease`. */
  addLease(session: Session, job: JobEntry): Lease {
    const { seq, jobBytes: bytes } = job;
    const never = Number.POSITIVE_INFINITY;
    const times = { deadlineMs: never, endsAtMs: never, ended: false };
    const lease: Lease = { job, seq, session, bytes, ...times };
    session.leases.set(seq, lease);
    session.leasedBytes += bytes;
    this.#leases.set(seq, lease);
    return lease;
  }

  /** The time of a lease runs from now on. */
  beginLease(lease: Lease, nowMs: number): void {
    if (lease.ended) return;
    lease.deadlineMs = nowMs + this.options.leaseMs;
    lease.endsAtMs = nowMs + this.options.leaseAgeMsMax;
    this.leaseDeadlines.push(lease.deadlineMs, lease);
  }

  /** The lease of a job that is held. */
  leaseOf(job: JobEntry): Lease | undefined {
    return this.#leases.get(job.seq);
  }

  /** The lease that a token speaks of, when it is the newest of its job and of this session. */
  heldLease(job: JobEntry, token: LeaseToken, session: Session): Lease | undefined {
    const lease = this.leaseOf(job);
    return lease?.session === session && isNewest(job, token) ? lease : undefined;
  }

  /** Forgets a lease whose job was settled, lost or cancelled. */
  dropLease(job: JobEntry): void {
    const lease = this.leaseOf(job);
    if (lease === undefined) return;
    const { session, seq, bytes } = lease;
    lease.ended = true;
    this.#leases.delete(seq);
    session.leases.delete(seq);
    session.leasedBytes -= bytes;
  }

  /** Tells those who wait for a job or watch its queue what became of it. */
  #tell(record: LogRecord): void {
    if (this.waiting.jobCount === 0 && this.notifications.watcherCount === 0) return;
    for (const job of jobsOf(this.state, record)) {
      if (isFinished(job.state)) {
        this.notifications.addEnds(this.waiting.take(job.id), () => viewOf(this.state.jobs, job));
      }
      this.notifications.note(this, job);
    }
  }
}
