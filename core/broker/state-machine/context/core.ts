/**
 * The context that request handlers and background work share: durable state, sessions, leases, the
 * clients to notify, and the effects of the event in hand. Synchronous and deterministic: no clock,
 * no disk, no randomness; time comes in with each event.
 */

import type { Message, MessageName } from '../../../protocol/index.ts';
import type { ConnectionId, JobFacts, Transport } from '../../events.ts';
import { encodeRecord, type LogRecord, type RecordOf } from '../records/records.ts';
import type { Blobs } from '../state/blob-uploads.ts';
import { BrokerState, type StateOptions } from '../state/broker-state.ts';
import { isFinished } from '../state/job-entry.ts';
import { TimeHeap } from '../table/time-heap.ts';
import { BulkRunner } from './bulk-runner.ts';
import { RateTable } from './calls/rate-table.ts';
import { EffectList } from './effect-list.ts';
import { type Committing, type Effect, outgoing } from './effects.ts';
import { viewOf } from './job-view.ts';
import { type LeaseOptions, LeaseTable } from './lease-table.ts';
import { Notifications } from './notifications.ts';
import { ReadPause } from './read-pause.ts';
import { SendQuota } from './send-quota.ts';
import { type Session, Subscriptions } from './session.ts';
import { WaitList } from './wait-list.ts';

export interface CoreOptions extends StateOptions, LeaseOptions {
  /** The broker's own id, sent in HelloOk. */
  readonly brokerId: string;
  /** Name and version, sent in HelloOk. */
  readonly software: string;
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

/** Most jobs that one step changes of what is due, or hands out. */
export const jobsPerStepMax = 250;

/** A call that asks for money and rates, until it is answered. */
export interface WaitingCall {
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly session: string;
  readonly fields: Message<'Reserve'>;
}

export class Core implements Committing {
  readonly options: CoreOptions;
  readonly state: BrokerState;
  readonly effects: EffectList = new EffectList();
  /** In the order in which they are served. */
  readonly sessions: Map<string, Session> = new Map();
  readonly connections: Map<ConnectionId, Session> = new Map();
  readonly leases: LeaseTable;
  /** Sessions without a connection by the end of their resume window. */
  readonly resumeDeadlines: TimeHeap<Session> = new TimeHeap();
  /** Clients that wait for a job to finish. */
  readonly waiting: WaitList = new WaitList();
  readonly subscriptions: Subscriptions = new Subscriptions();
  readonly unsent: SendQuota = new SendQuota();
  readonly notifications: Notifications;
  readonly blobs: Blobs;
  readonly bulks: BulkRunner;
  readonly readPause: ReadPause = new ReadPause(jobsPerStepMax);
  /** While the log has no room nothing is accepted and nothing delivered. */
  diskFull = false;
  /** Why it has none. */
  fullReason = '';
  /** While it is full and little is left: only what ends leases is taken, without values. */
  diskScarce = false;
  /** Offset of the newest record. */
  offset = 0;
  /** More notifications could be sent at once. */
  moreToNotify = false;
  /** The first that asked comes first. */
  readonly waitingCalls: Set<WaitingCall> = new Set();
  readonly rates: RateTable = new RateTable();
  /** Changes of money and rates when waiting calls were last tried. */
  waitedAtChange = 0;
  /** How often the jobs were woken that wait for a budget. */
  readonly wakes: Map<string, number> = new Map();
  /** By leased job, the budget that had no room for its call, and how often its jobs had been woken by then. */
  readonly refused: Map<string, { readonly budget: string; readonly wakes: number }> = new Map();
  /** Number of the next Deliver frame. */
  nextFrame = 1;

  constructor(options: CoreOptions) {
    this.options = options;
    this.state = new BrokerState(options);
    this.leases = new LeaseTable(options);
    this.notifications = new Notifications(this.state.jobs, this.effects, this.unsent);
    const { blobs: store, uploads } = this.state;
    this.blobs = { store, uploads, bytesMax: options.bytesMax };
    this.bulks = new BulkRunner(this.state, this);
  }

  /**
   * Logs a decision and applies it at once; its effects are revealed when it is durable. Returns
   * the record's offset. `facts` are those of newly enqueued jobs, decoded already.
   */
  commit(record: LogRecord, facts?: readonly JobFacts[]): number {
    const bytes = this.#append(record);
    this.state.apply(record, { offset: this.offset, bytes }, facts);
    this.#notify(record);
    return this.offset;
  }

  /**
   * Logs one record for decisions that were applied one by one, because each depended on those before:
   * it must say what was applied. Nothing else about these jobs may be committed in between.
   */
  commitApplied(record: RecordOf<'delivered' | 'acked'>): void {
    this.#append(record);
    this.state.newestMs = Math.max(this.state.newestMs, record.atMs);
    this.#notify(record);
  }

  #append(record: LogRecord): number {
    const bytes = encodeRecord(record);
    this.effects.add({ type: 'append', record: bytes });
    this.offset++;
    return bytes.length;
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
    this.effects.add({ type: 'send', outgoing: last });
  }

  takeEffects(): Effect[] {
    this.moreToNotify = !this.notifications.flush();
    return this.effects.take();
  }

  /** The session ended: its unfinished uploads are kept for a short time only. */
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

  /** Notifies the clients that wait for a job or watch its queue. */
  #notify(record: LogRecord): void {
    if (this.waiting.jobCount === 0 && this.notifications.watcherCount === 0) return;
    for (const job of this.state.jobsChangedBy(record)) {
      if (isFinished(job.state)) {
        this.notifications.addEnds(this.waiting.take(job.id), () => viewOf(this.state.jobs, job));
      }
      this.notifications.recordChange(job);
    }
  }
}
