/**
 * The reference: what the records of a log mean, told as simply as can be. It reads the decisions of
 * the broker's core and nothing else of it, knows every state that the log went through since the
 * last point that is proven, and can go back to any of them.
 */

import { crc32 } from 'node:zlib';
import type { LogRecord, RecordOf } from '../../core/broker/state-machine/records/records.ts';
import {
  decodeJob,
  type JobState,
  type LeaseEnd,
  type LeaseToken,
  noUsage,
  type Output,
  type Priority,
  type Usage,
  type Value,
} from '../../core/protocol/index.ts';
import { MoneyBook } from './money-book.ts';
import { History, UndoMap } from './undo-map.ts';

export interface BookJob {
  readonly id: string;
  readonly seq: number;
  readonly queue: string;
  readonly digest: string;
  /** CRC of the encoded job: what is delivered must have the same. */
  readonly crc: number;
  readonly jobBytes: number;
  readonly bodyBytes: number;
  /** Key of the blob that holds the body; null when it travels inline. */
  readonly bodyBlob: string | null;
  readonly batch: string;
  readonly priority: Priority;
  readonly attemptsMax: number;
  readonly expiresAtMs: number;
  readonly state: JobState;
  readonly dueAtMs: number;
  readonly parkKey: string;
  readonly attempts: number;
  readonly crashes: number;
  readonly returns: number;
  readonly deliveries: number;
  readonly leaseEpoch: number;
  readonly session: string | null;
  readonly isolated: boolean;
  readonly lastEnd: LeaseEnd | null;
  /** Of the end of its last lease. */
  readonly errorCode: string;
  /** It is dead because it was not delivered in time. */
  readonly isExpired: boolean;
  /** When it first came back uncharged; 0 when it never did. */
  readonly returnsSinceMs: number;
  readonly note: string;
  readonly usage: Usage;
  readonly result: string | null;
  /** Its files and prompts, and whether the files are in their folder. */
  readonly output: string | null;
  readonly prompts: string | null;
  readonly written: boolean;
  readonly enqueuedAtMs: number;
  readonly changedAtMs: number;
  /** The epoch in which it was accepted. */
  readonly acceptedIn: number;
}

export interface BookQueue {
  readonly paused: boolean;
  readonly jobsMax: number;
  readonly bytesMax: number;
  /** How long, and how many, done and cancelled jobs are kept; 0 for the broker's own. */
  readonly keepMs: number;
  readonly keepJobs: number;
}

const noQueue: BookQueue = { paused: false, jobsMax: 0, bytesMax: 0, keepMs: 0, keepJobs: 0 };

export function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Equal for equal values; what is inline is told by its bytes, a blob by its hash. */
export function valueKey({ inline, blob }: Value): string {
  return inline === null ? `blob ${keyOf(blob?.sha256 ?? new Uint8Array(0))}` : keyOf(inline);
}

/** Equal for equal outputs; begins with the folder. */
export function outputKey({ dir, overwrite, replaces, files, provenance }: Output): string {
  const contents = files.map(({ path, content }) => `${path}=${valueKey(content)}`);
  return [dir, overwrite, replaces, provenance, ...contents].join('\n');
}

export function dirOf(outputKeyText: string): string {
  return outputKeyText.slice(0, outputKeyText.indexOf('\n'));
}

export class Book {
  readonly history = new History();
  readonly jobs = new UndoMap<string, BookJob>(this.history);
  readonly queues = new UndoMap<string, BookQueue>(this.history);
  /** Bytes stored of each blob, and whether it is whole. */
  readonly blobs = new UndoMap<string, { bytes: number; whole: boolean }>(this.history);
  /** Journal entries by job and call. */
  readonly journal = new UndoMap<string, string>(this.history);
  readonly money = new MoneyBook(this.history);
  readonly bulks = new UndoMap<number, RecordOf<'bulkStarted'>>(this.history);
  /** Jobs that are no longer known, by acceptance number. */
  readonly forgotten = new UndoMap<number, true>(this.history);
  readonly numbers = new UndoMap<'epoch', number>(this.history);

  get epoch(): number {
    return this.numbers.get('epoch') ?? 0;
  }

  /** The newest time at which a job changed. */
  get newestMs(): number {
    let newestMs = 0;
    for (const { changedAtMs } of this.jobs.values()) newestMs = Math.max(newestMs, changedAtMs);
    return newestMs;
  }

  queue(name: string): BookQueue {
    return this.queues.get(name) ?? noQueue;
  }

  job(id: string): BookJob {
    const job = this.jobs.get(id);
    if (job === undefined) throw new Error(`the log speaks of job ${id}, which it does not know`);
    return job;
  }

  /** Takes the record with the next offset. */
  apply<N extends LogRecord['kind']>(record: RecordOf<N>, offset: number): void {
    this.history.offset = offset;
    const take = this.#meanings[record.kind] as (record: RecordOf<N>) => unknown;
    take(record);
  }

  readonly #meanings: { readonly [N in LogRecord['kind']]: (record: RecordOf<N>) => unknown } = {
    epochStarted: ({ epoch }) => this.numbers.set('epoch', epoch),
    enqueued: ({ jobs, atMs }) => {
      for (const job of jobs) this.#accept(job, atMs);
    },
    delivered: (record) => this.#deliver(record),
    acked: () => {
      throw new Error('the oracle takes the acks one by one');
    },
    leaseEnded: (record) => this.#endLease(record),
    projected: ({ jobs }) => {
      for (const job of jobs) this.#project(job);
    },
    cancelled: ({ ids, atMs }) => {
      for (const id of ids) this.#cancel(id, atMs);
    },
    retried: ({ ids, atMs }) => {
      for (const id of ids) this.#retry(id, atMs);
    },
    parked: ({ ids, key, atMs }) => ids.forEach((id) => this.#park(id, key, atMs)),
    batchSet: () => undefined,
    batchDropped: () => undefined,
    signalled: ({ ids, atMs }) => {
      for (const id of ids) this.#wake(id, atMs);
    },
    expired: ({ ids, atMs }) => {
      for (const id of ids) this.#expire(id, atMs);
    },
    forgotten: ({ ids }) => {
      for (const id of ids) this.#forget(id);
    },
    snapshot: (record) => this.#compareSnapshot(record),
    paused: ({ queue }) => this.queues.set(queue, { ...this.queue(queue), paused: true }),
    unpaused: ({ queue }) => this.queues.set(queue, { ...this.queue(queue), paused: false }),
    queueConfigured: ({ queue, jobsMax, bytesMax, keepMs, keepJobs }) => {
      const { paused } = this.queue(queue);
      this.queues.set(queue, { paused, jobsMax, bytesMax, keepMs, keepJobs });
    },
    bulkStarted: (record) => this.bulks.set(record.bulk, record),
    bulkStepped: () => undefined,
    bulkEnded: ({ bulk }) => this.bulks.delete(bulk),
    retired: () => {
      throw new Error('a record of a kind that is no more was written');
    },
    blobChunk: ({ sha256, at, chunk }) => {
      const known = this.blobs.get(keyOf(sha256)) ?? { bytes: 0, whole: false };
      const bytes = Math.max(known.bytes, at + chunk.length);
      this.blobs.set(keyOf(sha256), { ...known, bytes });
    },
    blobStored: ({ sha256, totalBytes: bytes }) =>
      this.blobs.set(keyOf(sha256), { bytes, whole: true }),
    blobDropped: ({ sha256 }) => this.blobs.delete(keyOf(sha256)),
    journaled: (record) => {
      this.#journal(record);
      if (record.charge !== null) this.money.charge(record.charge);
    },
    budgetSet: (record) => this.money.set(record),
    budgetRemoved: ({ name }) => this.money.remove(name),
    reserved: (record) => this.money.reserve(record),
    charged: ({ charges }) => {
      for (const charge of charges) this.money.charge(charge);
    },
    // Compaction tells again what is known.
    jobSettled: (record) => this.money.compareJob(record),
    costs: (record) => this.money.compareCosts(record),
    accepted: () => {
      throw new Error('a record that only summaries have stands in the log');
    },
  };

  #accept({ seq, dueAtMs, job: bytes }: RecordOf<'enqueued'>['jobs'][number], atMs: number): void {
    const job = decodeJob(bytes);
    if (this.jobs.has(job.id)) throw new Error(`job ${job.id} was accepted twice`);
    const waits = dueAtMs > atMs ? 'delayed' : 'ready';
    this.jobs.set(job.id, {
      id: job.id,
      seq,
      queue: job.queue,
      digest: keyOf(job.digest),
      crc: crc32(bytes),
      jobBytes: bytes.length,
      bodyBytes: job.bodyRef?.totalBytes ?? job.body.length,
      bodyBlob: job.bodyRef === null ? null : keyOf(job.bodyRef.sha256),
      batch: job.batch,
      priority: job.priority,
      attemptsMax: job.attemptsMax,
      expiresAtMs: job.expiresAtMs,
      state: job.parkKey === '' ? waits : 'parked',
      dueAtMs: job.parkKey === '' && dueAtMs > atMs ? dueAtMs : 0,
      parkKey: job.parkKey,
      attempts: 0,
      crashes: 0,
      returns: 0,
      deliveries: 0,
      leaseEpoch: 0,
      session: null,
      isolated: false,
      lastEnd: null,
      errorCode: '',
      isExpired: false,
      returnsSinceMs: 0,
      note: '',
      usage: noUsage,
      result: null,
      output: null,
      prompts: null,
      written: true,
      enqueuedAtMs: atMs,
      changedAtMs: atMs,
      acceptedIn: this.epoch,
    });
  }

  #deliver({ epoch, sessions, jobs, atMs }: RecordOf<'delivered'>): void {
    for (const { id, delivery, session, isolated } of jobs) {
      this.#change(id, {
        state: 'leased',
        dueAtMs: 0,
        parkKey: '',
        deliveries: delivery,
        leaseEpoch: epoch,
        session: sessions[session] ?? null,
        isolated,
        lastEnd: null,
        changedAtMs: atMs,
      });
    }
  }

  #endLease(record: RecordOf<'leaseEnded'>): void {
    const { id, state, attempts, crashes, returns, errorCode, note, usage } = record;
    this.#change(id, {
      state,
      attempts,
      crashes,
      returns,
      errorCode,
      note,
      usage,
      dueAtMs: record.dueAtMs,
      parkKey: record.parkKey,
      returnsSinceMs: record.returnsSinceMs,
      lastEnd: record.end,
      result: record.result === null ? null : valueKey(record.result),
      output: record.output === null ? null : outputKey(record.output),
      prompts: record.prompts === null ? this.job(id).prompts : valueKey(record.prompts),
      written: record.output === null,
      changedAtMs: record.atMs,
    });
    if (state === 'done') this.money.jobOver(id);
    for (const job of record.enqueue) this.#accept(job, record.atMs);
  }

  /** Only what was settled with files, and is not known to be written, can be. */
  #project({ id, written, note }: RecordOf<'projected'>['jobs'][number]): void {
    const known = this.job(id);
    if (known.output === null || known.written) throw new Error(`${id} was written twice`);
    this.jobs.set(id, { ...known, written, note: note === '' ? known.note : note });
  }

  /** Settled with files that are not known to be in their folder. */
  unwrittenIn(dir: string): string[] {
    const open = [...this.jobs.values()].filter(
      ({ output, written }) => output !== null && !written,
    );
    return open.filter(({ output }) => dirOf(output ?? '') === dir).map(({ id }) => id);
  }

  #park(id: string, parkKey: string, changedAtMs: number): void {
    this.#change(id, { state: 'parked', dueAtMs: 0, parkKey, changedAtMs });
  }

  #cancel(id: string, atMs: number): void {
    this.#change(id, { state: 'cancelled', dueAtMs: 0, parkKey: '', changedAtMs: atMs });
    this.money.jobOver(id);
  }

  #retry(id: string, atMs: number): void {
    const counters = { attempts: 0, crashes: 0, returns: 0, returnsSinceMs: 0 };
    // Whoever brings an expired job back wants it to run.
    const cleared = { ...counters, isolated: false, expiresAtMs: 0 };
    this.#change(id, { state: 'ready', ...cleared, changedAtMs: atMs });
  }

  #wake(id: string, atMs: number): void {
    this.#change(id, { state: 'ready', parkKey: '', changedAtMs: atMs });
  }

  #expire(id: string, atMs: number): void {
    const isExpired = true;
    this.#change(id, { state: 'dead', dueAtMs: 0, parkKey: '', isExpired, changedAtMs: atMs });
  }

  #forget(id: string): void {
    this.forgotten.set(this.job(id).seq, true);
    this.jobs.delete(id);
    this.money.jobOver(id);
    for (const key of this.journal.keys()) {
      if (key.startsWith(id)) this.journal.delete(key);
    }
  }

  #change(id: string, change: Partial<BookJob>): void {
    this.jobs.set(id, { ...this.job(id), isExpired: false, ...change });
  }

  #journal({ id, callHash, value }: RecordOf<'journaled'>): void {
    const key = `${id} ${keyOf(callHash)}`;
    const before = this.journal.get(key);
    if (before !== undefined && before !== valueKey(value)) {
      throw new Error(`the journal entry ${key} was overwritten`);
    }
    this.journal.set(key, valueKey(value));
  }

  /** Compaction says a job again: it must say what the records before said. */
  #compareSnapshot(record: RecordOf<'snapshot'>): void {
    const { id } = decodeJob(record.job);
    const known = this.job(id);
    const same =
      isSameState(known, record) &&
      compared.every((field) => known[field] === record[field]) &&
      (record.deliveries === 0 || known.leaseEpoch === record.leaseEpoch) &&
      (known.isExpired || known.errorCode === record.errorCode) &&
      hasKept(known, record);
    if (!same) throw new Error(`compaction tells another story of job ${id}`);
    // Where the job had leases, the snapshot stands for the end of the last one.
    if (known.isExpired && record.history.length > 0) {
      this.jobs.set(id, { ...known, errorCode: record.errorCode });
    }
    if (known.state !== record.state) {
      this.#change(id, { state: record.state, dueAtMs: 0, changedAtMs: record.changedAtMs });
    }
  }
}

/** What the end of its newest lease brought along is the same. */
function hasKept(known: BookJob, record: RecordOf<'snapshot'>): boolean {
  const { result, output, prompts, written } = record;
  return (
    known.result === (result === null ? null : valueKey(result)) &&
    known.output === (output === null ? null : outputKey(output)) &&
    known.prompts === (prompts === null ? null : valueKey(prompts)) &&
    known.written === written
  );
}

const compared = ['seq', 'attempts', 'crashes', 'returns', 'deliveries', 'note'] as const;

/** A delay that ran out is no record: `delayed` becomes `ready` by the clock alone. */
function isSameState(known: BookJob, record: RecordOf<'snapshot'>): boolean {
  return known.state === record.state || (known.state === 'delayed' && record.state === 'ready');
}

export function isTokenOf(job: BookJob, { id, epoch, delivery }: LeaseToken): boolean {
  return job.id === id && job.leaseEpoch === epoch && job.deliveries === delivery;
}

export function tokenOf({ id, leaseEpoch, deliveries }: BookJob): LeaseToken {
  return { id, epoch: leaseEpoch, delivery: deliveries };
}
