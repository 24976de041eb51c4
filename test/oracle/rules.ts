/**
 * Which decisions of the broker's core are lawful: each record, as it is made, is held against the
 * state before it, the time, and what clients and operators had asked for. What is not allowed here
 * is a broken promise, whatever is answered later.
 */

import type { Now } from '../../core/broker/events.ts';
import type { CoreEvent } from '../../core/broker/state-machine/context/effects.ts';
import type { BulkAction } from '../../core/broker/state-machine/records/queue-records.ts';
import type { LogRecord, RecordOf } from '../../core/broker/state-machine/records/records.ts';
import { decodeJob, type LeaseToken, type Priority } from '../../core/protocol/index.ts';
import { Asked } from './asked.ts';
import { type Book, type BookJob, isTokenOf, tokenOf } from './book.ts';
import { Delays } from './delays.ts';
import { type LeaseOptions, wrongCounters } from './lease-counters.ts';
import { SessionBook } from './sessions.ts';

export interface RuleOptions extends LeaseOptions {
  readonly leaseMs: number;
  readonly resumeMs: Readonly<Record<'unix' | 'tcp', number>>;
  readonly keepMs: number;
  readonly keepJobs: number;
}

/** What a job of each priority waits in line before one of the highest, by `docs/reference/protocol.md`. */
const ageingMs: Readonly<Record<Priority, number>> = {
  highest: 0,
  high: 60_000,
  normal: 300_000,
  low: 1_800_000,
  lowest: 7_200_000,
};

type LeaseEnded = RecordOf<'leaseEnded'>;
type Given = RecordOf<'delivered'>['jobs'][number];

export class Rules {
  readonly #book: Book;
  readonly #options: RuleOptions;
  readonly #violate: (text: string) => void;
  readonly sessions: SessionBook;
  /** When each held lease ends unless it is renewed, on the monotonic clock. */
  readonly deadlines = new Map<string, number>();
  readonly #delays = new Delays();
  #asked = new Asked();
  #now: Now = { monotonicMs: 0, wallMs: 0, systemMs: 0 };
  #diskFull = false;

  constructor(book: Book, options: RuleOptions, violate: (text: string) => void) {
    this.#book = book;
    this.#options = options;
    this.#violate = violate;
    this.sessions = new SessionBook(options.resumeMs);
  }

  get diskFull(): boolean {
    return this.#diskFull;
  }

  /** A new life of the broker: no connection is left, every lease has its whole time again. */
  restarted(now: Now): void {
    const untilMs = now.monotonicMs + this.#options.leaseMs;
    this.sessions.restarted(untilMs);
    this.deadlines.clear();
    this.#diskFull = false;
    this.#delays.restarted(this.#book.jobs.values());
    for (const { id, state, session } of this.#book.jobs.values()) {
      if (state !== 'leased') continue;
      this.deadlines.set(id, untilMs);
      if (session !== null) this.sessions.remember(session, untilMs);
    }
  }

  /** The clock has shown the time for which the job waits: no record says so. */
  wasDue(job: BookJob): boolean {
    return this.#delays.isOver(job);
  }

  /** The core is about to handle events at this time. */
  begin(now: Now): void {
    this.#now = now;
    this.#asked = new Asked();
    this.#delays.wake(now.wallMs);
  }

  /** The book has the record. */
  applied(record: LogRecord): void {
    const ids =
      record.kind === 'enqueued'
        ? record.jobs.map(({ job }) => decodeJob(job).id)
        : record.kind === 'leaseEnded'
          ? [record.id, ...record.enqueue.map(({ job }) => decodeJob(job).id)]
          : [];
    for (const id of ids) {
      const job = this.#book.jobs.get(id);
      if (job !== undefined) this.#delays.changed(job);
    }
    if (ids.length > 0) this.#delays.wake(this.#now.wallMs);
  }

  /** The core decided this; the book does not have it yet. */
  check<N extends LogRecord['kind']>(record: RecordOf<N>): void {
    const check = this.#checks[record.kind];
    check?.(record);
  }

  readonly #checks: { readonly [N in LogRecord['kind']]?: (record: RecordOf<N>) => void } = {
    epochStarted: ({ epoch }) => {
      const follows = epoch > this.#book.epoch || this.#asked.isCompaction;
      if (!follows) this.#violate(`epoch ${epoch} follows ${this.#book.epoch}`);
    },
    enqueued: (record) => this.#enqueued(record),
    delivered: (record) => {
      for (const job of record.jobs) this.#delivered(job, record);
    },
    leaseEnded: (record) => this.#leaseEnded(record),
    cancelled: ({ ids }) => {
      for (const id of ids) this.#cancelled(id);
    },
    retried: ({ ids }) => {
      for (const id of ids) this.#retried(id);
    },
    signalled: ({ ids }) => {
      for (const id of ids) this.#signalled(id);
    },
    expired: ({ ids }) => {
      for (const id of ids) this.#expired(id);
    },
    forgotten: ({ ids }) => this.#forgotten(ids),
    blobDropped: (record) => this.#blobDropped(record),
  };

  /** The core says that this lease was renewed. */
  renewed(token: LeaseToken, session: string): void {
    const job = this.#book.jobs.get(token.id);
    if (job === undefined || !holds(job, token, session)) {
      this.#violate(`${describe(token)} was renewed for ${session}, which does not hold it`);
      return;
    }
    this.deadlines.set(token.id, this.#now.monotonicMs + this.#options.leaseMs);
  }

  /** One of these events. */
  note(event: CoreEvent): void {
    this.sessions.note(event, this.#now);
    const session = 'connection' in event ? this.sessions.of(event.connection) : undefined;
    this.#asked.note(event, session, this.#diskFull);
    if (event.type === 'disk') this.#diskFull = event.full;
  }

  #enqueued({ jobs }: RecordOf<'enqueued'>): void {
    for (const { job: bytes, dueAtMs } of jobs) {
      const job = decodeJob(bytes);
      if (!this.#asked.enqueued.has(job.id)) this.#violate(`nobody enqueued ${job.id}`);
      else if (!this.#asked.enqueuedInTime.has(job.id)) {
        this.#violate('a job was accepted while the disk is full');
      }
      const { wallMs, systemMs } = this.#now;
      const earliest = wallMs + Math.max(job.runAtMs - systemMs, job.delayMs);
      if (dueAtMs < earliest && earliest > wallMs) {
        this.#violate(`${job.id} is due at ${dueAtMs}, ${earliest - dueAtMs} ms early`);
      }
    }
    this.#withinLimits(jobs.map(({ job }) => job));
  }

  /** Limits of a queue hold for what it has that is neither done nor cancelled. */
  #withinLimits(added: readonly Uint8Array[]): void {
    const sums = new Map<string, { jobs: number; bytes: number }>();
    for (const bytes of added) {
      const { queue } = decodeJob(bytes);
      const sum = sums.get(queue) ?? { jobs: 0, bytes: 0 };
      sums.set(queue, { jobs: sum.jobs + 1, bytes: sum.bytes + bytes.length });
    }
    for (const [name, more] of sums) {
      const { jobsMax, bytesMax } = this.#book.queue(name);
      if (jobsMax === 0 && bytesMax === 0) continue;
      let { jobs, bytes } = more;
      for (const job of this.#book.jobs.values()) {
        if (job.queue !== name || job.state === 'done' || job.state === 'cancelled') continue;
        jobs++;
        bytes += job.jobBytes;
      }
      if (jobsMax > 0 && jobs > jobsMax) this.#violate(`queue ${name} has ${jobs} of ${jobsMax}`);
      if (bytesMax > 0 && bytes > bytesMax) {
        this.#violate(`queue ${name} has ${bytes} bytes of ${bytesMax}`);
      }
    }
  }

  #delivered(given: Given, { epoch, sessions }: RecordOf<'delivered'>): void {
    const { id } = given;
    const session = sessions[given.session] ?? '';
    const job = this.#book.jobs.get(id);
    const problem =
      job === undefined
        ? 'it is not known'
        : (this.#undeliverable(job) ??
          this.#wrongToken(job, given, epoch) ??
          this.#noRoom(job, session) ??
          this.#overtaken(job));
    if (problem !== null) this.#violate(`${id} was delivered to ${session}: ${problem}`);
    this.deadlines.set(id, this.#now.monotonicMs + this.#options.leaseMs);
  }

  #undeliverable(job: BookJob): string | null {
    const { wallMs } = this.#now;
    if (this.#diskFull) return 'the disk is full';
    if (this.#book.queue(job.queue).paused) return `queue ${job.queue} is paused`;
    if (job.state === 'delayed') {
      return this.#delays.isOver(job) ? null : `it is due in ${job.dueAtMs - wallMs} ms`;
    }
    return job.state === 'ready' ? null : `it is ${job.state}`;
  }

  /**
   * Ageing: of the ready jobs of a queue the one with the smallest `readyAt + offset` goes first.
   * Jobs of one priority go in line, where one whose delay ran out comes behind who was there.
   */
  #overtaken(job: BookJob): string | null {
    const rankMs = readyAtMs(job) + ageingMs[job.priority];
    for (const other of this.#book.jobs.values()) {
      if (other.queue !== job.queue || other.state !== 'ready') continue;
      if (other.priority === job.priority) continue;
      const lateMs = rankMs - readyAtMs(other) - ageingMs[other.priority];
      if (lateMs > 0) return `${other.id} (${other.priority}) came first, by ${lateMs} ms`;
    }
    return null;
  }

  #wrongToken(job: BookJob, { delivery, isolated }: Given, epoch: number): string | null {
    if (epoch !== this.#book.epoch) return `epoch ${epoch}, in epoch ${this.#book.epoch}`;
    if (delivery !== job.deliveries + 1) return `delivery ${delivery} after ${job.deliveries}`;
    if (isolated !== job.crashes > 0) return `isolated ${isolated} after ${job.crashes} crashes`;
    return null;
  }

  #noRoom(job: BookJob, session: string): string | null {
    const consumer = this.sessions.get(session);
    if (consumer === undefined || consumer.connection === null) return 'nobody is connected';
    if (!consumer.queues.includes(job.queue)) return `it did not subscribe ${job.queue}`;
    let held = 0;
    for (const id of this.deadlines.keys()) {
      if (this.#book.jobs.get(id)?.session === session) held++;
    }
    return held >= consumer.credit ? `it holds ${held} with a credit of ${consumer.credit}` : null;
  }

  #leaseEnded(record: LeaseEnded): void {
    const job = this.#expect(record.id, ['leased'], 'ended');
    if (job === null) return;
    const problem =
      this.#unlawfulEnd(job, record) ??
      wrongCounters(job, record, {
        ...this.#options,
        expiryMs: this.#expiryMs,
        isUnread: this.#isUnread(record),
      });
    if (problem !== null) {
      this.#violate(`the lease ${describe(tokenOf(job))} ended by ${record.end}: ${problem}`);
    }
    this.deadlines.delete(record.id);
  }

  #unlawfulEnd(
    job: BookJob,
    { end, delivery, enqueue, result, errorCode }: LeaseEnded,
  ): string | null {
    const session = job.session ?? '';
    if (delivery !== job.deliveries) return `delivery ${delivery} of ${job.deliveries}`;
    const settled = this.#asked.settles.find(
      (each) => each.session === session && isTokenOf(job, each.item.token),
    );
    if (settled !== undefined && settled.item.outcome === end) {
      if (enqueue.length > settled.item.enqueue.length) return 'it has jobs that nobody asked for';
      return (result === null) === (settled.item.result === null) ? null : 'the result is lost';
    }
    if (end === 'returned') {
      return this.#wasGivenBack(job, session, errorCode) ? null : 'nobody gave it back';
    }
    if (end === 'lost') return this.#mayBeLost(job, session) ? null : 'it is still held';
    if (end === 'damaged') {
      return this.#asked.unreadable.has(job.id) ? null : 'it could be read';
    }
    return 'its holder did not say so';
  }

  #wasGivenBack(job: BookJob, session: string, errorCode: string): boolean {
    if (this.#isUnread({ id: job.id, errorCode })) return true;
    if (errorCode === 'read_failed') return false;
    if (this.#asked.leaving.has(session)) return true;
    return this.#asked.resumed.some(
      (each) => each.session === session && !each.tokens.some((token) => isTokenOf(job, token)),
    );
  }

  /** The broker took it back unsent. The record says so unless the job may not run again: it expired. */
  #isUnread({ id, errorCode }: Pick<LeaseEnded, 'id' | 'errorCode'>): boolean {
    const { unread, unreadable } = this.#asked;
    const isCause = errorCode === 'read_failed' || errorCode === 'expired';
    return isCause && (unread.has(id) || unreadable.has(id));
  }

  #mayBeLost(job: BookJob, session: string): boolean {
    const { monotonicMs } = this.#now;
    const deadlineMs = this.deadlines.get(job.id) ?? Number.POSITIVE_INFINITY;
    return deadlineMs <= monotonicMs || this.sessions.isLost(session, monotonicMs);
  }

  /** By both clocks: one that was set ahead ends nothing early. */
  get #expiryMs(): number {
    return Math.min(this.#now.wallMs, this.#now.systemMs);
  }

  #cancelled(id: string): void {
    const job = this.#expect(id, ['delayed', 'ready', 'leased', 'dead', 'parked'], 'cancelled');
    this.deadlines.delete(id);
    if (job === null || this.#asked.cancelled.has(id)) return;
    const waits = job.state !== 'leased' && job.state !== 'dead';
    if (!waits || !this.#isInBulk('purge', job)) this.#violate(`nobody cancelled ${id}`);
  }

  #retried(id: string): void {
    const job = this.#expect(id, ['dead'], 'retried');
    if (job === null || this.#asked.retried.has(id)) return;
    if (!this.#isInBulk('retryDead', job)) this.#violate(`nobody retried ${id}`);
  }

  #signalled(id: string): void {
    const job = this.#expect(id, ['parked'], 'signalled');
    if (job !== null && !this.#isInBulk('signal', job)) this.#violate(`nobody signalled ${id}`);
  }

  /** Whether a bulk operation that has begun and not ended is about the job. */
  #isInBulk(action: BulkAction, job: BookJob): boolean {
    for (const bulk of this.#book.bulks.values()) {
      if (bulk.action !== action || job.seq > bulk.seqMax) continue;
      if (bulk.queue !== null && bulk.queue !== job.queue) continue;
      const key = action === 'signal' ? job.parkKey : job.errorCode;
      if (bulk.key === null || bulk.key === key) return true;
    }
    return false;
  }

  #expired(id: string): void {
    const job = this.#expect(id, ['delayed', 'ready', 'parked'], 'expired');
    if (job !== null && (job.expiresAtMs === 0 || job.expiresAtMs > this.#expiryMs)) {
      this.#violate(`${id} expired before its time`);
    }
  }

  /** Only what is over may be forgotten, and only by age or by number. */
  #forgotten(ids: readonly string[]): void {
    const over = new Map<string, number>();
    for (const { queue, state } of this.#book.jobs.values()) {
      if (state === 'done' || state === 'cancelled') over.set(queue, (over.get(queue) ?? 0) + 1);
    }
    for (const id of ids) {
      const job = this.#expect(id, ['done', 'cancelled'], 'forgotten');
      if (job === null) continue;
      const settings = this.#book.queue(job.queue);
      const keepMs = settings.keepMs || this.#options.keepMs;
      const keepJobs = settings.keepJobs || this.#options.keepJobs;
      const left = over.get(job.queue) ?? 0;
      const isOld = job.changedAtMs + keepMs <= this.#now.wallMs;
      if (!isOld && left <= keepJobs) this.#violate(`${id} was forgotten before its time`);
      over.set(job.queue, left - 1);
    }
  }

  #blobDropped({ sha256 }: RecordOf<'blobDropped'>): void {
    const key = Buffer.from(sha256).toString('hex');
    for (const job of this.#book.jobs.values()) {
      const isOver = job.state === 'done' || job.state === 'cancelled';
      const needed = (job.bodyBlob === key && !isOver) || job.result === `blob ${key}`;
      if (needed) this.#violate(`blob ${key.slice(0, 8)} was dropped while ${job.id} needs it`);
    }
  }

  #expect(id: string, states: readonly string[], what: string): BookJob | null {
    const job = this.#book.jobs.get(id);
    if (job !== undefined && states.includes(job.state)) return job;
    this.#violate(`${id} was ${what} while ${job?.state ?? 'unknown'}`);
    return null;
  }
}

/** A delay that ran out is no record: such a job is ready since its time came. */
function readyAtMs({ state, dueAtMs, changedAtMs }: BookJob): number {
  return state === 'delayed' ? dueAtMs : changedAtMs;
}

function holds(job: BookJob, token: LeaseToken, session: string): boolean {
  return job.state === 'leased' && job.session === session && isTokenOf(job, token);
}

function describe({ id, epoch, delivery }: LeaseToken): string {
  return `${id}:${epoch}:${delivery}`;
}
