/**
 * What each log record means for the jobs that search knows. Pure: it changes infos and decides
 * nothing. Records about unknown jobs are skipped, because a rebuild begins at the log's first
 * record, and compaction said every job again whose older records it dropped.
 */

import { decodeJob, type JobInfo, noUsage, type Value } from '../../protocol/index.ts';
import type { LogRecord, RecordOf } from '../state-machine/records/records.ts';

/** The error of a job that was not delivered in time: the record has none. */
const expiredError = { code: 'expired', message: 'it was not delivered before it expired' };

/** The jobs as they are so far. What `get` returns may be changed, and is kept so. */
export interface Jobs {
  get(id: string): JobInfo | undefined;
  /** A job that is new, or the whole of a known one again. */
  put(seq: number, info: JobInfo): void;
  remove(id: string): void;
}

type Fold<N extends LogRecord['kind']> = (jobs: Jobs, record: RecordOf<N>) => void;

/** By kind of record. */
const folds: { readonly [N in LogRecord['kind']]?: Fold<N> } = {
  enqueued: (jobs, record) => accept(jobs, record.jobs, record.atMs),
  delivered: (jobs, record) => deliver(jobs.get(record.id), record),
  leaseEnded(jobs, record) {
    endLease(jobs.get(record.id), record);
    accept(jobs, record.enqueue, record.atMs);
  },
  cancelled: (jobs, { ids, atMs }) => each(jobs, ids, (info) => move(info, 'cancelled', atMs)),
  retried: (jobs, { ids, atMs }) => each(jobs, ids, (info) => retry(info, atMs)),
  signalled: (jobs, { ids, atMs }) => each(jobs, ids, (info) => move(info, 'ready', atMs)),
  expired: (jobs, { ids, atMs }) => each(jobs, ids, (info) => expire(info, atMs)),
  forgotten(jobs, { ids }) {
    for (const id of ids) jobs.remove(id);
  },
  snapshot: restate,
};

/** The kinds of records that concern jobs; all others change nothing. */
export const foldedKinds: readonly string[] = Object.keys(folds);

/** Applies a record. */
export function applyRecord(jobs: Jobs, record: LogRecord): void {
  (folds[record.kind] as Fold<LogRecord['kind']> | undefined)?.(jobs, record);
}

function each(jobs: Jobs, ids: readonly string[], change: (info: JobInfo) => void): void {
  for (const id of ids) {
    const info = jobs.get(id);
    if (info !== undefined) change(info);
  }
}

/**
 * The info as it is at a moment: that a delayed job became ready is the clock's doing and stands in
 * no record.
 */
export function infoAt(info: JobInfo, nowMs: number): JobInfo {
  if (info.state !== 'delayed' || info.dueAtMs > nowMs) return info;
  return { ...info, state: 'ready', changedAtMs: info.dueAtMs, dueAtMs: 0 };
}

function accept(jobs: Jobs, accepted: RecordOf<'enqueued'>['jobs'], atMs: number): void {
  for (const { seq, dueAtMs, job } of accepted) {
    const info = newInfo(job, atMs);
    if (info.parkKey !== '') info.state = 'parked';
    else if (dueAtMs > 0) {
      info.state = 'delayed';
      info.dueAtMs = dueAtMs;
    }
    jobs.put(seq, info);
  }
}

/** A job of which nothing is known but that it was accepted. */
function newInfo(encoded: Uint8Array, atMs: number): JobInfo {
  const job = decodeJob(encoded);
  return {
    id: job.id,
    queue: job.queue,
    agent: job.agent,
    source: job.source,
    state: 'ready',
    attempts: 0,
    attemptsMax: job.attemptsMax,
    crashes: 0,
    returns: 0,
    deliveries: 0,
    bodyBytes: job.bodyRef?.totalBytes ?? job.body.length,
    enqueuedAtMs: atMs,
    changedAtMs: atMs,
    dueAtMs: 0,
    expiresAtMs: job.expiresAtMs,
    priority: job.priority,
    tags: [...job.tags],
    parkKey: job.parkKey,
    resultBytes: 0,
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
  };
}

function deliver(info: JobInfo | undefined, { delivery, atMs }: RecordOf<'delivered'>): void {
  if (info === undefined) return;
  info.deliveries = delivery;
  move(info, 'leased', atMs);
}

function endLease(info: JobInfo | undefined, record: RecordOf<'leaseEnded'>): void {
  if (info === undefined) return;
  move(info, record.state, record.atMs);
  info.dueAtMs = record.dueAtMs;
  info.parkKey = record.parkKey;
  info.attempts = record.attempts;
  info.crashes = record.crashes;
  info.returns = record.returns;
  info.errorCode = record.errorCode;
  info.errorMessage = record.errorMessage;
  info.note = record.note;
  info.usage = record.usage;
  if (record.result !== null) info.resultBytes = bytesOf(record.result);
}

function retry(info: JobInfo, atMs: number): void {
  info.attempts = 0;
  info.crashes = 0;
  info.returns = 0;
  // Whoever brings an expired job back wants it to run.
  info.expiresAtMs = 0;
  move(info, 'ready', atMs);
}

function expire(info: JobInfo, atMs: number): void {
  info.errorCode = expiredError.code;
  info.errorMessage = expiredError.message;
  move(info, 'dead', atMs);
}

function restate(jobs: Jobs, record: RecordOf<'snapshot'>): void {
  jobs.put(record.seq, {
    ...newInfo(record.job, record.enqueuedAtMs),
    state: record.state,
    attempts: record.attempts,
    crashes: record.crashes,
    returns: record.returns,
    deliveries: record.deliveries,
    bodyBytes: record.bodyBytes,
    changedAtMs: record.changedAtMs,
    dueAtMs: record.dueAtMs,
    expiresAtMs: record.expiresAtMs,
    parkKey: record.parkKey,
    resultBytes: record.result === null ? 0 : bytesOf(record.result),
    errorCode: record.errorCode,
    errorMessage: record.errorMessage,
    note: record.note,
    usage: record.usage,
  });
}

/** A job that enters a state waits for nothing, unless its record says so. */
function move(info: JobInfo, state: JobInfo['state'], atMs: number): void {
  info.state = state;
  info.changedAtMs = atMs;
  info.dueAtMs = 0;
  info.parkKey = '';
}

function bytesOf({ inline, blob }: Value): number {
  return blob?.totalBytes ?? inline?.length ?? 0;
}
