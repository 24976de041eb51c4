/**
 * Everything that the log makes durable, put together. `apply` is the only path by which it changes,
 * for live traffic and for replay alike: it decides nothing.
 */

import type { Crc32 } from '../../protocol/index.ts';
import type { JobFacts } from '../events.ts';
import { BlobUploads, type Hash } from './blob-uploads.ts';
import { BlobStore } from './blobs.ts';
import { BulkStore } from './bulks.ts';
import { isOver, type JobEntry } from './job-entry.ts';
import { JobStore, type Place } from './job-store.ts';
import { JournalStore } from './journal.ts';
import type { LogRecord } from './records.ts';
import { ScopeStore } from './scopes.ts';

export interface StateOptions {
  /** The checksum of an encoded job (`node:zlib`). */
  readonly crc32: Crc32;
  /** Makes a SHA-256 to be fed piece by piece: the core imports no cryptography. */
  readonly newHash: () => Hash;
}

export class BrokerState {
  readonly blobs: BlobStore = new BlobStore();
  readonly jobs: JobStore = new JobStore(this.blobs);
  readonly journal: JournalStore = new JournalStore(this.blobs);
  readonly scopes: ScopeStore = new ScopeStore();
  readonly bulks: BulkStore = new BulkStore();
  /** Uploads of blobs that are under way: they end with the broker. */
  readonly uploads: BlobUploads;
  epoch = 0;
  /** Records up to here may speak of jobs that are no longer known. */
  #restatedUpTo = 0;

  constructor({ newHash }: StateOptions) {
    this.uploads = new BlobUploads(newHash);
  }

  /** Bytes of the log that are still needed. */
  get logBytes(): number {
    return this.jobs.logBytes + this.blobs.bytes;
  }

  /** Before replay: see `Replay.begin` of the log. */
  beginReplay(restatedUpTo: number): void {
    this.#restatedUpTo = restatedUpTo;
    this.scopes.restatedUpTo = restatedUpTo;
  }

  /** After replay: what replay alone cannot bring in order. */
  afterReplay(): void {
    this.jobs.afterReplay();
    this.journal.afterReplay((id) => {
      const job = this.jobs.get(id);
      return job !== undefined && !isOver(job.state);
    });
  }

  /**
   * Applies a decision. Throws only when the record contradicts the state: a bug or a damaged log.
   * `facts` are those of newly enqueued jobs, when somebody decoded them already.
   */
  apply(record: LogRecord, place: Place, facts?: readonly JobFacts[]): void {
    const { jobs } = this;
    switch (record.kind) {
      case 'epochStarted':
        this.epoch = record.epoch;
        jobs.seqs.atLeast(record.seqHighest);
        break;
      case 'enqueued':
        jobs.accept(record.jobs, place.offset, record.atMs, facts);
        break;
      case 'accepted':
        jobs.acceptShort(record, place.offset);
        break;
      case 'delivered':
        this.#each([record.id], place, (job) => jobs.deliver(job, record));
        break;
      case 'leaseEnded':
        this.#each([record.id], place, (job) => jobs.endLease(job, record, place));
        if (record.state === 'done') this.journal.drop(record.id);
        // Even when the job itself is no longer known: its follow-ups may be.
        jobs.accept(record.enqueue, place.offset, record.atMs);
        break;
      case 'cancelled':
        this.#each(record.ids, place, (job) => jobs.cancel(job, record.atMs));
        for (const id of record.ids) this.journal.drop(id);
        break;
      case 'retried':
        this.#each(record.ids, place, (job) => jobs.retry(job, record.atMs));
        break;
      case 'signalled':
        this.#each(record.ids, place, (job) => jobs.signal(job, record.atMs));
        break;
      case 'expired':
        this.#each(record.ids, place, (job) => jobs.expire(job, record.atMs));
        break;
      case 'forgotten':
        this.#each(record.ids, place, (job) => jobs.forget(job));
        for (const id of record.ids) this.journal.drop(id);
        break;
      case 'snapshot':
        jobs.restate(record, place);
        break;
      default:
        this.#applyOther(record, place);
    }
  }

  #applyOther(record: LogRecord, place: Place): void {
    switch (record.kind) {
      case 'paused':
      case 'unpaused':
        this.jobs.queues.named(record.queue).paused = record.kind === 'paused';
        break;
      case 'queueConfigured':
        this.jobs.queues.named(record.queue).settings = record;
        break;
      case 'bulkStarted':
        this.bulks.start(record);
        break;
      case 'bulkStepped':
        this.bulks.step(record);
        break;
      case 'bulkEnded':
        this.bulks.end(record.bulk);
        break;
      case 'scopeSet':
      case 'reserved':
      case 'reservationEnded':
        this.scopes.apply(record, place.offset);
        break;
      case 'blobChunk':
      case 'blobStored':
      case 'blobDropped':
        this.blobs.apply(record, place.offset);
        break;
      case 'journaled':
        // Its job may come later in the log, when compaction said it again.
        this.journal.apply(record, place.offset);
        break;
      default:
        throw new Error(`a record of kind ${record.kind} cannot stand here`);
    }
  }

  #each(ids: readonly string[], place: Place, change: (job: JobEntry) => void): void {
    for (const id of ids) {
      const job = this.jobs.get(id);
      if (job !== undefined) change(job);
      else if (place.offset > this.#restatedUpTo) {
        throw new Error(`the log speaks of job ${id}, which it never accepted`);
      }
    }
  }
}
