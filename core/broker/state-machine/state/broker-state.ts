/**
 * The durable state of the broker. It changes only by `apply`, for live traffic and for replay alike,
 * which decides nothing.
 */

import type { Crc32 } from '../../../protocol/index.ts';
import type { JobFacts } from '../../events.ts';
import type { Place } from '../records/family.ts';
import { plainAck } from '../records/lease-records.ts';
import type { LogRecord, RecordOf } from '../records/records.ts';
import { BlobUploads, type Hash } from './blob-uploads.ts';
import { BlobStore } from './blobs.ts';
import { BulkStore } from './bulks.ts';
import { isTerminal, type JobEntry } from './job-entry.ts';
import { JobStore } from './job-store.ts';
import { JournalStore } from './journal.ts';
import { MoneyStore } from './money/money-store.ts';
import { project } from './project.ts';

export interface StateOptions {
  /** The checksum of an encoded job (`node:zlib`). */
  readonly crc32: Crc32;
  /** Makes a SHA-256 to be fed piece by piece: the core imports no cryptography. */
  readonly newHash: () => Hash;
}

/** Bytes of an `epochStarted` record with its frame. */
const epochBytes = 32;

/** Applies a record to the state. */
type Change<R extends LogRecord> = (record: R, place: Place, facts?: readonly JobFacts[]) => void;

export class BrokerState {
  readonly blobs: BlobStore = new BlobStore();
  readonly jobs: JobStore = new JobStore(this.blobs);
  readonly journal: JournalStore = new JournalStore(this.blobs);
  readonly bulks: BulkStore = new BulkStore();
  readonly money: MoneyStore = new MoneyStore();
  /** Uploads of blobs that are under way: they end with the broker. */
  readonly uploads: BlobUploads;
  epoch = 0;
  /** The newest time of a record: the wall clock never goes back before it. */
  newestMs = 0;
  /** Records up to here may be about jobs that are no longer known. */
  #compactedUpTo = 0;

  /** What each kind of record changes. */
  readonly #changes: { readonly [N in LogRecord['kind']]: Change<RecordOf<N>> } = {
    epochStarted: ({ epoch, seqHighest }) => {
      this.epoch = Math.max(this.epoch, epoch);
      this.jobs.seqs.atLeast(seqHighest);
    },
    enqueued: ({ jobs, atMs }, { offset }, facts) => {
      this.jobs.accept(jobs, offset, atMs, facts);
      this.#accepted(jobs);
    },
    accepted: (record, { offset }) => {
      this.jobs.acceptShort(record, offset);
      this.#accepted([record]);
    },
    delivered: (record, place) => {
      for (const { id, session, ...lease } of record.jobs) {
        const holder = record.sessions[session] ?? '';
        this.#each([id], place, (job) => this.jobs.deliver(job, lease, holder, record));
      }
    },
    acked: (record, place) =>
      this.#each(record.ids, place, (job) => this.ack(job, record, place.offset)),
    leaseEnded: (record, place) => {
      this.#each([record.id], place, (job) => this.jobs.endLease(job, record, place));
      if (record.state === 'done') this.#over(record.id);
      // Even when the job itself is no longer known: its follow-ups may be.
      this.jobs.accept(record.enqueue, place.offset, record.atMs);
      this.#accepted(record.enqueue);
    },
    projected: ({ jobs }, place) => {
      for (const made of jobs) {
        const at = { ...made, offset: place.offset };
        this.#each([made.id], place, (job) => project(this.jobs, job, at));
      }
    },
    cancelled: ({ ids, atMs }, place) => {
      this.#each(ids, place, (job) => this.jobs.enter(job, 'cancelled', atMs));
      for (const id of ids) this.#over(id);
    },
    retried: ({ ids, atMs }, place) => this.#each(ids, place, (job) => this.jobs.retry(job, atMs)),
    signalled: ({ ids, atMs }, place) =>
      this.#each(ids, place, (job) => this.jobs.enter(job, 'ready', atMs)),
    parked: ({ ids, key, atMs }, place) =>
      this.#each(ids, place, (job) => this.jobs.enter(job, 'parked', atMs, key)),
    expired: ({ ids, atMs }, place) => this.#each(ids, place, (job) => this.jobs.expire(job, atMs)),
    forgotten: ({ ids }) => {
      for (const id of ids) {
        // A summary leaves out a job that was rewritten and then forgotten.
        const job = this.jobs.get(id);
        if (job !== undefined) this.jobs.forget(job);
        this.#over(id);
      }
    },
    snapshot: (record, place) => this.jobs.rewrite(record, place),
    paused: ({ queue }) => this.jobs.queues.setPaused(queue, true),
    unpaused: ({ queue }) => this.jobs.queues.setPaused(queue, false),
    queueConfigured: ({ queue, jobsMax, bytesMax, keepMs, keepJobs }) =>
      this.jobs.queues.configure(queue, { jobsMax, bytesMax, keepMs, keepJobs }),
    bulkStarted: (record) => this.bulks.start(record),
    bulkStepped: (record) => this.bulks.step(record),
    bulkEnded: ({ bulk }) => this.bulks.end(bulk),
    retired: () => undefined,
    blobChunk: (record, { offset }) => this.blobs.apply(record, offset),
    blobStored: (record, { offset }) => this.blobs.apply(record, offset),
    blobDropped: (record, { offset }) => this.blobs.apply(record, offset),
    // Its job may come later in the log, when compaction rewrote it.
    journaled: (record, { offset }) => {
      this.journal.apply(record, offset);
      if (record.charge !== null) this.money.charge(record.charge);
    },
    batchDropped: ({ name }) => this.jobs.batches.drop(name),
    batchSet: (record) => this.jobs.batches.set(record),
    budgetSet: (record) => this.money.set(record),
    budgetRemoved: ({ name }) => this.money.remove(name),
    reserved: (record) => this.money.reserve(record),
    charged: ({ charges }) => {
      for (const charge of charges) this.money.charge(charge);
    },
    jobSettled: (record) => this.money.jobSettled(record),
    costs: (row) => this.money.costs.set(row),
  };

  constructor({ newHash }: StateOptions) {
    this.uploads = new BlobUploads(newHash);
  }

  /** Live bytes of the log: an upper bound of what it takes to rewrite all of it. */
  get logBytes(): number {
    return this.jobs.logBytes + this.blobs.logBytes + this.journal.logBytes + this.smallStateBytes;
  }

  /** The part of them that `smallState` rewrites. */
  get smallStateBytes(): number {
    const parts = [this.bulks, this.blobs, this.money, this.jobs.batches];
    const ofParts = parts.reduce((sum, { rewriteBytes }) => sum + rewriteBytes, 0);
    return epochBytes + this.jobs.queues.settingsBytes + ofParts;
  }

  /**
   * The records that rewrite all that is neither a job nor a chunk nor a journal entry. Each must be
   * committed before the next one is taken; other records may come between any two.
   */
  *smallState(atMs: number): Generator<LogRecord> {
    const seqHighest = this.jobs.seqs.highest;
    yield { kind: 'epochStarted', epoch: this.epoch, seqHighest, atMs };
    for (const queue of this.jobs.queues.all()) {
      const { name } = queue;
      if (queue.paused) yield { kind: 'paused', queue: name, atMs };
      if (queue.isConfigured) yield { kind: 'queueConfigured', queue: name, ...queue.settings };
    }
    yield* this.bulks.rewriteRecords();
    yield* this.blobs.rewriteRecords();
    yield* this.money.rewriteRecords(atMs);
    yield* this.jobs.batches.rewriteRecords();
  }

  /** Before replay: see `Replay.begin` of the log. */
  beginReplay(compactedUpTo: number): void {
    this.#compactedUpTo = compactedUpTo;
  }

  /** After replay: restores what replay alone does not. */
  afterReplay(): void {
    this.jobs.afterReplay();
    const isOpen = (id: string): boolean => {
      const job = this.jobs.get(id);
      return job !== undefined && !isTerminal(job.state);
    };
    this.journal.afterReplay(isOpen);
    this.money.afterReplay(isOpen);
  }

  /**
   * Applies a decision. Throws only when the record contradicts the state: a bug or a damaged log.
   * `facts` are those of newly enqueued jobs, when they were decoded already.
   */
  apply(record: LogRecord, place: Place, facts?: readonly JobFacts[]): void {
    const change = this.#changes[record.kind] as Change<LogRecord>;
    if ('atMs' in record) this.newestMs = Math.max(this.newestMs, record.atMs);
    change(record, place, facts);
  }

  /** The first lease of the job ended with a plain ack, which the record at `offset` says. */
  ack(job: JobEntry, record: Pick<RecordOf<'acked'>, 'session' | 'atMs'>, offset: number): void {
    const { id } = job;
    this.jobs.endLease(job, plainAck(record, id), { offset, bytes: 0 });
    this.#over(id);
  }

  /** The jobs whose state a record changed, after it was applied. */
  *jobsChangedBy(record: LogRecord): Iterable<JobEntry> {
    if (record.kind === 'journaled') return;
    const { jobs } = this;
    const found = 'id' in record ? [jobs.get(record.id)] : [];
    if ('ids' in record && record.kind !== 'forgotten')
      found.push(...record.ids.map((id) => jobs.get(id)));
    if (record.kind === 'delivered') found.push(...record.jobs.map(({ id }) => jobs.get(id)));
    const added =
      record.kind === 'enqueued' ? record.jobs : record.kind === 'leaseEnded' ? record.enqueue : [];
    found.push(...added.map(({ seq }) => jobs.bySeq(seq)));
    for (const job of found) if (job !== undefined) yield job;
  }

  /** What an earlier job of the id used is no matter of the new one: a summary may not say that it ended. */
  #accepted(jobs: readonly { readonly seq: number }[]): void {
    if (!this.money.countsJobs) return;
    for (const { seq } of jobs) this.money.jobOver(this.jobs.bySeq(seq)?.id ?? '');
  }

  /** The job is over: nothing that was kept for another attempt is needed. */
  #over(id: string): void {
    this.journal.drop(id);
    this.money.jobOver(id);
  }

  #each(ids: readonly string[], place: Place, change: (job: JobEntry) => void): void {
    for (const id of ids) {
      const job = this.jobs.get(id);
      if (job !== undefined) change(job);
      else if (place.offset > this.#compactedUpTo) {
        throw new Error(`the log has a record about job ${id}, which it never accepted`);
      }
    }
  }
}
