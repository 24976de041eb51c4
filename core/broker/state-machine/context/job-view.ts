/**
 * What the broker tells about a job: the row as it was when something happened, completed by the
 * texts that only the log holds.
 */

import {
  decodeJob,
  encodeAhead,
  type JobInfo,
  type LeaseEndInfo,
  limits,
  noUsage,
  type Value,
} from '../../../protocol/index.ts';
import { decodeRecord, type LogRecord, type RecordOf } from '../records/records.ts';
import type { JobEntry } from '../state/job-entry.ts';
import { expiredCode, type JobStore } from '../state/job-store.ts';
import type { Fetch, Fetched } from './effects.ts';

/** Most bytes of infos in one frame: no client may refuse a frame that holds one job. */
const infosBytesMax = limits.jobBodyBytesMax;

/** A job's row at one moment, and where the log holds the rest. */
export interface JobView {
  readonly seq: number;
  readonly id: string;
  readonly base: number;
  readonly last: number;
  readonly cause: string;
  readonly row: Omit<
    JobInfo,
    | 'agent'
    | 'source'
    | 'tags'
    | 'enqueuedAtMs'
    | 'errorCode'
    | 'errorMessage'
    | 'note'
    | 'usage'
    | 'resultBytes'
  >;
}

export function viewOf(store: JobStore, job: JobEntry): JobView {
  const { slot, id, state } = job;
  const { extras } = store;
  return {
    seq: job.seq,
    id,
    base: job.base,
    last: job.last,
    cause: extras.cause.get(slot) ?? '',
    row: {
      id,
      queue: store.queueOf(job).name,
      state,
      attempts: job.attempts,
      attemptsMax: job.attemptsMax,
      crashes: job.crashes,
      returns: job.returns,
      deliveries: job.deliveries,
      bodyBytes: job.bodyBytes,
      changedAtMs: job.changedAtMs,
      dueAtMs: extras.dueAtMs.get(slot) ?? 0,
      expiresAtMs: extras.expiresAtMs.get(slot) ?? 0,
      priority: job.priority,
      parkKey: state === 'parked' ? store.queues.line(job.line).key : '',
    },
  };
}

/** Jobs whose infos are made in one piece. */
const infosPerPiece = 50;

/** Fetches what the infos of these jobs need, in pieces, and goes on with them, in the same order. */
export function fetchInfos(
  pictures: readonly JobView[],
  then: (infos: JobInfo[]) => readonly Fetched[],
  sofar: readonly JobInfo[] = [],
): Fetch {
  const piece = pictures.slice(sofar.length, sofar.length + infosPerPiece);
  return {
    offsets: piece.flatMap(({ base, last }) => [base, last]).filter((offset) => offset > 0),
    use(records) {
      const made = infosOf(piece, records);
      encodeAhead('job', made);
      const infos = [...sofar, ...made];
      if (infos.length === pictures.length) return then(infos);
      return [{ type: 'fetch', fetch: fetchInfos(pictures, then, infos) }];
    },
  };
}

function infosOf(pictures: readonly JobView[], records: readonly (Uint8Array | null)[]): JobInfo[] {
  let next = 0;
  const origins = new Origins();
  const take = (offset: number): Uint8Array | null =>
    offset === 0 ? null : (records[next++] ?? null);
  return pictures.map((picture) =>
    infoOf(picture, enqueueFieldsOf(picture, take(picture.base), origins), take(picture.last)),
  );
}

/** Infos in portions that fit a frame each. */
export function* inFrames(infos: readonly JobInfo[]): Iterable<JobInfo[]> {
  let portion: JobInfo[] = [];
  let bytes = 0;
  for (const info of infos) {
    const more = infoBytesMax(info);
    if (portion.length > 0 && bytes + more > infosBytesMax) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(info);
    bytes += more;
  }
  if (portion.length > 0) yield portion;
}

type EnqueueFields = Pick<JobInfo, 'agent' | 'source' | 'tags' | 'enqueuedAtMs'>;

function infoOf(
  { cause, row }: JobView,
  atEnqueue: EnqueueFields,
  last: Uint8Array | null,
): JobInfo {
  const { result, ...end } = leaseEndFieldsOf(last === null ? null : endOf(last), cause);
  return { ...row, ...atEnqueue, ...end, resultBytes: bytesOfValue(result) };
}

function enqueueFieldsOf(
  place: JobPlace,
  base: Uint8Array | null,
  origins: Origins,
): EnqueueFields {
  if (base === null) return { agent: '', source: '', tags: [], enqueuedAtMs: 0 };
  const { encoded, enqueuedAtMs } = origins.find(base, place);
  const { agent, source, tags } = decodeJob(encoded);
  return { agent, source, tags: [...tags], enqueuedAtMs };
}

/** What is told about the end of a job's newest lease. */
export type LeaseEndFields = Pick<
  RecordOf<'snapshot'>,
  'errorCode' | 'errorMessage' | 'note' | 'usage' | 'result'
>;

/** The words of the record; a job that expired while it waited has a cause that is in no record. */
export function leaseEndFieldsOf(end: LeaseEndFields | null, cause: string): LeaseEndFields {
  const told = end ?? noEnd;
  const { note, usage, result } = told;
  if (cause !== expiredCode || told.errorCode === expiredCode) {
    return { errorCode: told.errorCode, errorMessage: told.errorMessage, note, usage, result };
  }
  const errorMessage = 'it was not delivered before it expired';
  return { errorCode: expiredCode, errorMessage, note, usage, result };
}

const noEnd: LeaseEndFields = {
  errorCode: '',
  errorMessage: '',
  note: '',
  usage: noUsage,
  result: null,
};

/** Where a job comes from, as a record of its bytes tells. */
export interface Origin {
  readonly encoded: Uint8Array;
  readonly enqueuedAtMs: number;
}

/** Where the log holds a job's bytes, and which of the record's jobs it is. */
type JobPlace = Pick<JobView, 'base' | 'seq'>;

/** Finds jobs in the records that hold them; what many jobs share is decoded once. */
export class Origins {
  #offset = 0;
  #record: LogRecord | null = null;

  /** @throws Error when the record holds no such job: the log and the table contradict each other */
  find(bytes: Uint8Array, { base, seq }: JobPlace): Origin {
    if (this.#record === null || this.#offset !== base) this.#record = decodeRecord(bytes);
    this.#offset = base;
    const record = this.#record;
    if (record.kind === 'snapshot' && record.seq === seq) {
      return { encoded: record.job, enqueuedAtMs: record.enqueuedAtMs };
    }
    if (record.kind === 'enqueued' || record.kind === 'leaseEnded') {
      const jobs = record.kind === 'enqueued' ? record.jobs : record.enqueue;
      const next = jobs[seq - (jobs[0]?.seq ?? 0)];
      const found = next?.seq === seq ? next : jobs.find((job) => job.seq === seq);
      if (found !== undefined) return { encoded: found.job, enqueuedAtMs: record.atMs };
    }
    throw new Error(`record ${base} is ${record.kind}; it should hold job number ${seq}`);
  }
}

/** What a record tells about the end of a job's newest lease. */
export function endOf(record: Uint8Array): RecordOf<'leaseEnded'> | RecordOf<'snapshot'> | null {
  const decoded = decodeRecord(record);
  return decoded.kind === 'leaseEnded' || decoded.kind === 'snapshot' ? decoded : null;
}

export function bytesOfValue(value: Value | null): number {
  return value?.blob?.totalBytes ?? value?.inline?.length ?? 0;
}

/** Walks back over the ends of a job's leases, newest first, as many as are told. */
export function fetchHistory(
  last: number,
  then: (history: LeaseEndInfo[]) => readonly Fetched[],
  sofar: readonly LeaseEndInfo[] = [],
): Fetched {
  return {
    type: 'fetch',
    fetch: {
      offsets: last === 0 ? [] : [last],
      use([record]) {
        const end = record === undefined || record === null ? null : endOf(record);
        const rows = end === null ? [] : end.kind === 'snapshot' ? end.history : [endInfo(end)];
        const history = [...sofar, ...rows].slice(0, limits.historyRowsMax);
        const previous = end?.kind === 'leaseEnded' ? end.previous : 0;
        return previous > 0 && history.length < limits.historyRowsMax
          ? [fetchHistory(previous, then, history)]
          : then(history);
      },
    },
  };
}

function endInfo(end: RecordOf<'leaseEnded'>): LeaseEndInfo {
  const { atMs, end: kind, delivery, session, errorCode, errorMessage } = end;
  return { atMs, end: kind, delivery, session, errorCode, errorMessage };
}

/** No fewer bytes than the info takes in a frame: UTF-16 units take at most three each. */
function infoBytesMax(info: JobInfo): number {
  const { queue, agent, source, errorCode, errorMessage, note, tags, parkKey } = info;
  const texts = [queue, agent, source, errorCode, errorMessage, note, parkKey, ...tags];
  return 400 + texts.reduce((sum, text) => sum + 4 + 3 * text.length, 0);
}
