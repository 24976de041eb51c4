/**
 * All jobs and named queues. Durable state changes only by `BrokerState.apply`, for live traffic and
 * for replay alike; what it calls here decides nothing and never fails on a record that was logged.
 */

import { type JobState, noUsage, type Usage } from '../../../protocol/index.ts';
import { factsOfJob, type JobFacts } from '../../events.ts';
import type { Place } from '../records/family.ts';
import { expiredError } from '../records/job-records.ts';
import type { RecordOf } from '../records/records.ts';
import { IdIndex } from '../table/id-index.ts';
import { f64Columns, JobTable } from '../table/job-table.ts';
import { RowList } from '../table/row-list.ts';
import { SeqIndex } from '../table/seq-index.ts';
import { TimeHeap } from '../table/time-heap.ts';
import { BatchStore } from './batches.ts';
import type { BlobReferences } from './blobs.ts';
import { isTerminal, JobEntry } from './job-entry.ts';
import { JobExtras } from './job-extras.ts';
import type { NamedQueue } from './named-queue.ts';
import { OutputStore } from './outputs.ts';
import { QueueSet } from './queue-set.ts';
import { hasStateOf } from './same-state.ts';

type Lease = Pick<RecordOf<'delivered'>['jobs'][number], 'delivery' | 'isolated'>;
type LeaseTime = Pick<RecordOf<'delivered'>, 'epoch' | 'atMs'>;
export class JobStore {
  readonly table: JobTable = new JobTable();
  readonly queues: QueueSet = new QueueSet(this.table);
  readonly seqs: SeqIndex = new SeqIndex();
  /** All jobs in the order of their `base` records: what compaction rewrites first comes first. */
  readonly logOrder: RowList = new RowList(this.table, 'log');
  readonly extras: JobExtras;
  readonly outputs: OutputStore;
  readonly batches: BatchStore = new BatchStore();
  /** Delayed jobs (by number) by the wall-clock time at which they become ready. */
  readonly delayed: TimeHeap<number> = new TimeHeap();
  /** Jobs (by number) by the wall-clock time at which they expire. */
  readonly expiry: TimeHeap<number> = new TimeHeap();
  /** Encoded bytes of jobs that are neither done nor cancelled. */
  bytes = 0;
  /** Bytes of the log that the jobs still need. */
  logBytes = 0;
  /** Ready jobs of all queues, paused ones included. */
  readyCount = 0;
  readonly #ids: IdIndex = new IdIndex(this.table);

  constructor(blobs: BlobReferences) {
    this.extras = new JobExtras(blobs);
    this.outputs = new OutputStore(blobs);
  }

  /** Jobs known, finished ones included. */
  get size(): number {
    return this.table.length;
  }

  get(id: string): JobEntry | undefined {
    return this.at(this.#ids.find(id));
  }

  /** At most `max` jobs whose ids begin with the text; null when the search would take too long. */
  withPrefix(text: string, max: number): JobEntry[] | null {
    const slots = this.#ids.withPrefix(text, max);
    return slots?.map((slot) => new JobEntry(this.table, slot)) ?? null;
  }

  bySeq(seq: number): JobEntry | undefined {
    return this.at(this.seqs.find(seq));
  }

  /** Undefined for row 0. */
  at(slot: number): JobEntry | undefined {
    return slot === 0 ? undefined : new JobEntry(this.table, slot);
  }

  queueOf(job: JobEntry): NamedQueue {
    return this.queues.byNumber(job.queue);
  }

  /** New jobs; their bytes lie in the record at `offset`. `facts` saves decoding what was decoded. */
  accept(
    jobs: RecordOf<'enqueued'>['jobs'],
    offset: number,
    atMs: number,
    facts?: readonly JobFacts[],
  ): void {
    for (const [index, { seq, dueAtMs, job }] of jobs.entries()) {
      this.#add(facts?.[index] ?? factsOfJob(job), { seq, dueAtMs, atMs }, offset);
    }
  }

  /** A new job, from a summary. */
  acceptShort(record: RecordOf<'accepted'>, offset: number): void {
    this.#add(record, record, offset);
  }

  deliver(job: JobEntry, lease: Lease, session: string, { epoch, atMs }: LeaseTime): void {
    this.#move(job, 'leased', atMs);
    job.deliveries = lease.delivery;
    job.leaseEpoch = epoch;
    job.isolated = lease.isolated;
    job.lastEnd = null;
    job.setHolder(session);
    this.extras.session.set(job.slot, session);
  }

  endLease(job: JobEntry, record: RecordOf<'leaseEnded'>, place: Place): void {
    const { slot } = job;
    this.logBytes -= job.logBytes;
    if (record.attempts > job.attempts) this.batches.fails(slot, record.errorCode);
    job.attempts = record.attempts;
    job.crashes = record.crashes;
    job.returns = record.returns;
    job.lastEnd = record.end;
    job.last = place.offset;
    this.extras.countEnd(job, record, place);
    this.logBytes += job.logBytes;
    this.extras.session.delete(slot);
    this.extras.set(slot, record);
    this.outputs.keep(slot, record, { offset: place.offset, session: record.session });
    if (isTerminal(record.state)) this.outputs.settled(slot, place.offset);
    this.#move(job, record.state, record.atMs, record.parkKey);
  }

  /** It was cancelled, signalled, or parked on the key. */
  enter(job: JobEntry, state: 'cancelled' | 'ready' | 'parked', atMs: number, key = ''): void {
    this.#move(job, state, atMs, key);
  }

  retry(job: JobEntry, atMs: number): void {
    job.attempts = 0;
    job.crashes = 0;
    job.returns = 0;
    job.isolated = false;
    this.extras.returnsSinceMs.delete(job.slot);
    // An operator who retries an expired job wants it to run.
    this.extras.expiresAtMs.delete(job.slot);
    this.#move(job, 'ready', atMs);
  }

  expire(job: JobEntry, atMs: number): void {
    this.extras.cause.set(job.slot, expiredError.code);
    this.#move(job, 'dead', atMs);
  }

  /** A delayed job is due. Not logged: replay does it again by the clock. */
  makeReady(job: JobEntry): void {
    this.#move(job, 'ready', this.extras.dueAtMs.get(job.slot) ?? job.changedAtMs);
  }

  /** Compaction rewrote the whole job: its offset changes, and on replay it may be new. */
  rewrite(record: RecordOf<'snapshot'>, place: Place): void {
    const { seq, state, changedAtMs, bodyBytes, jobBytes, expiresAtMs } = record;
    const facts = { ...factsOfJob(record.job), bodyBytes, jobBytes, expiresAtMs, parkKey: '' };
    const at = { seq, dueAtMs: 0, atMs: changedAtMs };
    const job = this.get(facts.id) ?? this.#add(facts, at, place.offset);
    const { slot } = job;
    const isSame = hasStateOf(this.queues, this.extras, { job, record });
    this.logBytes -= job.logBytes;
    this.logOrder.remove(slot);
    this.logOrder.push(slot);
    job.base = place.offset;
    if (!isTerminal(job.state)) this.#addBytes(this.queueOf(job), record.jobBytes - job.jobBytes);
    job.jobBytes = record.jobBytes;
    job.bodyInLog = record.bodyInLog;
    job.attempts = record.attempts;
    job.crashes = record.crashes;
    job.returns = record.returns;
    job.deliveries = record.deliveries;
    job.leaseEpoch = record.leaseEpoch;
    job.isolated = record.isolated;
    job.lastEnd = record.lastEnd;
    job.setHolder(record.session);
    job.last = record.lastBytes === 0 ? 0 : place.offset;
    job.lastBytes = record.lastBytes;
    this.extras.tenBytes.delete(slot);
    this.logBytes += job.logBytes;
    this.extras.replace(slot, record);
    this.outputs.notes.delete(slot);
    this.outputs.keep(slot, record, { offset: place.offset, session: record.session });
    if (isTerminal(state)) this.outputs.settled(slot, place.offset);
    if (record.attempts > 0) this.batches.fails(slot, record.errorCode);
    if (!isSame) this.#move(job, state, changedAtMs, record.parkKey);
    this.batches.moved(job, state);
    if (isTerminal(state)) this.extras.clearOnTerminal(slot);
  }

  forget(job: JobEntry): void {
    const { slot } = job;
    this.logBytes -= job.logBytes;
    this.#removeFromList(job);
    const queue = this.queueOf(job);
    queue.counts[job.state]--;
    this.batches.forget(slot, job.state);
    if (!isTerminal(job.state)) this.#addBytes(queue, -job.jobBytes);
    this.extras.dropAll(slot);
    this.outputs.drop(slot);
    this.logOrder.remove(slot);
    this.seqs.remove(job.seq);
    this.#ids.remove(slot);
    this.table.free(slot);
    this.queues.leave(queue);
  }

  /** Sum over the job's leases; known while it is not terminal. */
  usageOf(job: JobEntry): Usage {
    return this.extras.usage.get(job.slot) ?? noUsage;
  }

  /** Sorts every list by the time at which its jobs became ready; replay alone does not keep that order. */
  afterReplay(): void {
    const { table } = this;
    const byTime = (left: number, right: number): number =>
      table.getF64(left, f64Columns.changedAtMs) - table.getF64(right, f64Columns.changedAtMs) ||
      table.getF64(left, f64Columns.seq) - table.getF64(right, f64Columns.seq);
    for (const queue of this.queues.all()) {
      for (const { list } of queue.ready) list.rows.sort(byTime);
      queue.terminal.rows.sort(byTime);
    }
  }

  #add(
    facts: JobFacts,
    at: Pick<RecordOf<'accepted'>, 'seq' | 'dueAtMs' | 'atMs'>,
    base: number,
  ): JobEntry {
    const { id, bodyRef } = facts;
    const slot = this.table.allocate();
    const job = new JobEntry(this.table, slot);
    if (!this.#ids.add(id, slot)) throw new Error(`job ${id} was accepted twice`);
    this.seqs.add(at.seq, slot);
    this.logOrder.push(slot);
    const queue = this.queues.join(facts.queue);
    job.queue = queue.number;
    job.seq = at.seq;
    job.base = base;
    job.setDigest(facts.digest);
    job.priority = facts.priority;
    job.attemptsMax = facts.attemptsMax;
    job.bodyBytes = facts.bodyBytes;
    job.jobBytes = facts.jobBytes;
    job.bodyInLog = bodyRef === null;
    this.extras.setInputBlob(slot, bodyRef);
    if (facts.expiresAtMs > 0) {
      this.extras.expiresAtMs.set(slot, facts.expiresAtMs);
      this.expiry.push(facts.expiresAtMs, at.seq);
    }
    if (at.dueAtMs > 0) this.extras.dueAtMs.set(slot, at.dueAtMs);
    this.logBytes += job.logBytes;
    queue.counts.none++;
    if (facts.batch !== '') this.batches.join(slot, facts.batch);
    this.#addBytes(queue, job.jobBytes);
    const state = facts.parkKey !== '' ? 'parked' : at.dueAtMs > 0 ? 'delayed' : 'ready';
    this.#move(job, state, at.atMs, facts.parkKey);
    return job;
  }

  /** The one setter of a job's state: lists, heaps, counts and sums follow. */
  #move(job: JobEntry, state: JobState, atMs: number, parkKey = ''): void {
    const { slot } = job;
    const queue = this.queueOf(job);
    this.#removeFromList(job);
    this.logBytes -= job.logBytes;
    const from = job.state;
    queue.counts[from]--;
    queue.counts[state]++;
    if (isTerminal(state) && !isTerminal(from)) this.#addBytes(queue, -job.jobBytes);
    job.state = state;
    this.batches.moved(job, from);
    job.changedAtMs = atMs;
    this.logBytes += job.logBytes;
    if (state !== 'delayed') this.extras.dueAtMs.delete(slot);
    if (state !== 'dead') this.extras.cause.delete(slot);
    if (isTerminal(state)) this.extras.clearOnTerminal(slot);
    this.#addToList(job, queue, parkKey);
  }

  #addBytes(queue: NamedQueue, bytes: number): void {
    queue.bytes += bytes;
    this.bytes += bytes;
  }

  #addToList(job: JobEntry, queue: NamedQueue, parkKey: string): void {
    const { slot, state } = job;
    if (state === 'delayed') this.delayed.push(this.extras.dueAtMs.get(slot) ?? 0, job.seq);
    if (state === 'ready') this.readyCount++;
    const key = state === 'dead' ? (this.extras.cause.get(slot) ?? '') : parkKey;
    const list = this.queues.listFor(queue, job, key);
    list?.rows.push(slot);
    job.list = list?.number ?? 0;
  }

  #removeFromList(job: JobEntry): void {
    if (job.state === 'ready') this.readyCount--;
    if (job.list === 0) return;
    this.queues.removeFromList(job.slot, job.list);
    job.list = 0;
  }
}
