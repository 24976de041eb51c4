/**
 * All jobs and named queues. `apply` is the only path by which durable state changes, for live
 * traffic and for replay alike; it decides nothing and never fails on a record that was logged.
 */

import type { JobState } from '../../protocol/index.ts';
import { Fifo } from './fifo.ts';
import { isFinished, type JobEntry, newEntry } from './job-entry.ts';
import type { LogRecord, RecordOf } from './records.ts';
import { TimeHeap } from './time-heap.ts';

/** One named queue: its line of ready jobs and how many jobs it has in each state. */
export interface NamedQueue {
  readonly name: string;
  readonly ready: Fifo<JobEntry>;
  readonly counts: Record<JobState, number>;
  /** Nothing of it is delivered. */
  paused: boolean;
}

/** The counts of a queue that holds nothing. */
export const noJobs: Readonly<Record<JobState, number>> = {
  none: 0,
  delayed: 0,
  ready: 0,
  leased: 0,
  done: 0,
  dead: 0,
  cancelled: 0,
  parked: 0,
};

/** Characters of an id that the index of short ids knows: 15 bits. */
export const idStartLength = 3;

export function idStartOf(id: string): string {
  return id.slice(0, idStartLength);
}

export class JobStore {
  readonly jobs: Map<string, JobEntry> = new Map();
  readonly queues: Map<string, NamedQueue> = new Map();
  /** All jobs in order of acceptance: index = seq - 1. */
  readonly bySeq: JobEntry[] = [];
  /** Jobs by the start of their ids, so that a short id is found without a look at all of them. */
  readonly byIdStart: Map<string, JobEntry[]> = new Map();
  /** Delayed jobs by the wall-clock time at which they become ready. */
  readonly delayed: TimeHeap<JobEntry> = new TimeHeap();
  epoch = 0;
  /** Bytes of the jobs that are not finished. */
  liveBytes = 0;
  /** Ready jobs of all queues, paused ones included. */
  readyCount = 0;

  /** The queue of that name, made when it is new. */
  queueOf(name: string): NamedQueue {
    let queue = this.queues.get(name);
    if (queue === undefined) {
      queue = { name, ready: new Fifo(), counts: { ...noJobs }, paused: false };
      this.queues.set(name, queue);
    }
    return queue;
  }

  /** Applies a decision. Throws only when the record contradicts the state: a bug or a damaged log. */
  apply(record: LogRecord): void {
    switch (record.kind) {
      case 'epochStarted':
        this.epoch = record.epoch;
        break;
      case 'enqueued':
        this.#accept(record);
        break;
      case 'delivered':
        this.#deliver(record);
        break;
      case 'leaseEnded':
        this.#endLease(record);
        break;
      case 'cancelled':
        this.#cancel(this.#known(record.id), record.atMs);
        break;
      case 'retried':
        this.#retry(this.#known(record.id), record.atMs);
        break;
      case 'paused':
        this.queueOf(record.queue).paused = true;
        break;
      case 'unpaused':
        this.queueOf(record.queue).paused = false;
        break;
    }
  }

  /** A delayed job's time has come. Not logged: replay does it again by the clock. */
  makeReady(job: JobEntry): void {
    this.#move(job, 'ready', job.dueAtMs);
    job.dueAtMs = 0;
  }

  /** Puts every line in the order in which its jobs became ready; replay cannot keep that itself. */
  afterReplay(): void {
    for (const queue of this.queues.values()) {
      queue.ready.sort(
        (left, right) => left.changedAtMs - right.changedAtMs || left.seq - right.seq,
      );
    }
  }

  #accept(record: RecordOf<'enqueued'>): void {
    // A copy: the record lies in a buffer that holds much more than this job.
    const job = newEntry(this.bySeq.length + 1, record.job.slice(), record.atMs, record.dueAtMs);
    if (this.jobs.has(job.id)) throw new Error(`job ${job.id} was accepted twice`);
    this.jobs.set(job.id, job);
    this.bySeq.push(job);
    this.#index(job);
    this.liveBytes += record.job.length;
    const queue = this.queueOf(job.queue);
    queue.counts[job.state]++;
    if (job.state === 'ready') this.#line(queue, job);
    else this.delayed.push(job.dueAtMs, job);
  }

  #index(job: JobEntry): void {
    const start = idStartOf(job.id);
    const jobs = this.byIdStart.get(start);
    if (jobs === undefined) this.byIdStart.set(start, [job]);
    else jobs.push(job);
  }

  #line(queue: NamedQueue, job: JobEntry): void {
    queue.ready.push(job);
    this.readyCount++;
  }

  #deliver(record: RecordOf<'delivered'>): void {
    const job = this.#known(record.id);
    if (job.state !== 'ready' && job.state !== 'delayed') {
      throw new Error(`job ${job.id} was delivered while ${job.state}`);
    }
    this.#move(job, 'leased', record.atMs);
    job.dueAtMs = 0;
    job.deliveries = record.delivery;
    job.leaseEpoch = record.epoch;
    job.session = record.session;
    job.isolated = record.isolated;
    job.lastEnd = null;
  }

  #endLease(record: RecordOf<'leaseEnded'>): void {
    const job = this.#known(record.id);
    if (job.state !== 'leased') throw new Error(`lease of job ${job.id} ended while ${job.state}`);
    job.attempts = record.attempts;
    job.crashes = record.crashes;
    job.returns = record.returns;
    job.errorCode = record.errorCode;
    job.errorMessage = record.errorMessage;
    job.note = record.note;
    job.usage = record.usage;
    job.lastEnd = record.end;
    job.dueAtMs = record.dueAtMs;
    this.#move(job, record.state, record.atMs);
  }

  #cancel(job: JobEntry, atMs: number): void {
    this.#move(job, 'cancelled', atMs);
    job.dueAtMs = 0;
  }

  #retry(job: JobEntry, atMs: number): void {
    job.attempts = 0;
    job.crashes = 0;
    job.returns = 0;
    job.isolated = false;
    this.#move(job, 'ready', atMs);
  }

  /** The one setter of a job's state: lines, heaps and counts follow. */
  #move(job: JobEntry, state: JobState, atMs: number): void {
    const queue = this.queueOf(job.queue);
    if (job.state === 'ready') {
      queue.ready.remove(job);
      this.readyCount--;
    }
    queue.counts[job.state]--;
    queue.counts[state]++;
    job.state = state;
    job.changedAtMs = atMs;
    if (state === 'ready') this.#line(queue, job);
    if (state === 'delayed') this.delayed.push(job.dueAtMs, job);
    // A dead job keeps its bytes, because an operator may retry it.
    if (isFinished(state) && state !== 'dead' && job.bytes !== null) {
      this.liveBytes -= job.bytes.length;
      job.bytes = null;
    }
  }

  #known(id: string): JobEntry {
    const job = this.jobs.get(id);
    if (job === undefined) throw new Error(`the log speaks of job ${id}, which was never accepted`);
    return job;
  }
}
