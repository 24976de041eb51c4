/**
 * Views of jobs for answers: the row as it was at one moment, completed by the texts that only the log
 * holds.
 */

import {
  decodeJob,
  encodeAhead,
  idBytes,
  idFromText,
  idToText,
  type JobInfo,
  type LeaseEndInfo,
  limits,
  noUsage,
} from '../../../protocol/index.ts';
import { type JobPosition, JobRecordReader, leaseEndOf } from '../records/job-record-reader.ts';
import { expiredError } from '../records/job-records.ts';
import { decodeRecord, type RecordOf } from '../records/records.ts';
import { outputInfoOf } from '../records/snapshot-record.ts';
import type { Hash } from '../state/blob-uploads.ts';
import type { JobEntry } from '../state/job-entry.ts';
import type { JobStore } from '../state/job-store.ts';
import type { Fetch, Fetched } from './effects.ts';

/** Most bytes of infos in one frame: no client may refuse a frame that holds one job. */
const infosBytesMax = limits.jobBodyBytesMax;

/** A job's row at one moment, and where the log holds the rest. */
export interface JobView {
  readonly seq: number;
  readonly id: string;
  readonly base: number;
  readonly last: number;
  /** Offset of the record that replaced its note; 0 for none. */
  readonly noted: number;
  readonly unwritten: boolean;
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
    | 'output'
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
    noted: store.outputs.notes.get(slot)?.offset ?? 0,
    unwritten: store.outputs.isUnwritten(slot),
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
      parkKey: state === 'parked' ? store.queues.list(job.list).key : '',
    },
  };
}

/** Jobs whose infos are made in one piece. */
const infosPerPiece = 50;

/** Reads the infos of these jobs, in pieces, and continues with them, in the same order. */
export function fetchInfos(
  views: readonly JobView[],
  then: (infos: JobInfo[]) => readonly Fetched[],
  before: readonly JobInfo[] = [],
): Fetch {
  const piece = views.slice(before.length, before.length + infosPerPiece);
  return {
    offsets: piece
      .flatMap(({ base, last, noted }) => [base, last, noted])
      .filter((offset) => offset > 0),
    use(records) {
      const made = infosOf(piece, records);
      encodeAhead('job', made);
      const infos = [...before, ...made];
      if (infos.length === views.length) return then(infos);
      return [{ type: 'fetch', fetch: fetchInfos(views, then, infos) }];
    },
  };
}

function infosOf(views: readonly JobView[], records: readonly (Uint8Array | null)[]): JobInfo[] {
  let next = 0;
  const reader = new JobRecordReader();
  const take = (offset: number): Uint8Array | null =>
    offset === 0 ? null : (records[next++] ?? null);
  return views.map((view) =>
    infoOf(view, enqueueFieldsOf(view, take(view.base), reader), {
      last: take(view.last),
      noted: take(view.noted),
    }),
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
  { id, cause, row, unwritten }: JobView,
  atEnqueue: EnqueueFields,
  { last, noted }: { readonly last: Uint8Array | null; readonly noted: Uint8Array | null },
): JobInfo {
  const ended = last === null ? null : leaseEndOf(last);
  const { result, output, prompts: _, ...end } = leaseEndFieldsOf(ended, cause);
  const note = (noted === null ? null : noteOf(noted, id)) ?? end.note;
  const made = outputInfoOf({ result, output, written: !unwritten });
  return { ...row, ...atEnqueue, ...end, note, ...made };
}

/** The note that a record put in the place of the job's; null when it has none of that job. */
export function noteOf(record: Uint8Array, id: string): string | null {
  const decoded = decodeRecord(record);
  if (decoded.kind !== 'projected') return null;
  return decoded.jobs.find((job) => job.id === id)?.note ?? null;
}

function enqueueFieldsOf(
  position: JobPosition,
  base: Uint8Array | null,
  reader: JobRecordReader,
): EnqueueFields {
  if (base === null) return { agent: '', source: '', tags: [], enqueuedAtMs: 0 };
  const { encoded, enqueuedAtMs } = reader.find(base, position);
  const { agent, source, tags } = decodeJob(encoded);
  return { agent, source, tags: [...tags], enqueuedAtMs };
}

/** What answers show of the end of a job's newest lease. */
export type LeaseEndFields = Pick<
  RecordOf<'snapshot'>,
  'errorCode' | 'errorMessage' | 'note' | 'usage' | 'result' | 'output' | 'prompts'
>;

/** The fields of the record; a job that expired while it waited has an error that is in no record. */
export function leaseEndFieldsOf(end: LeaseEndFields | null, cause: string): LeaseEndFields {
  const fields = end ?? noEnd;
  const { errorCode, errorMessage, note, usage, result, output, prompts } = fields;
  const kept = { note, usage, result, output, prompts };
  if (cause !== expiredError.code || errorCode === expiredError.code) {
    return { errorCode, errorMessage, ...kept };
  }
  return { errorCode: expiredError.code, errorMessage: expiredError.message, ...kept };
}

const noEnd: LeaseEndFields = {
  errorCode: '',
  errorMessage: '',
  note: '',
  usage: noUsage,
  result: null,
  output: null,
  prompts: null,
};

const sessionDomain = new TextEncoder().encode('aiq session ');

/**
 * The mark that answers show in place of a session id: the first 16 bytes of the SHA-256 of `aiq session `
 * and the id. The id is a secret: a client that has it may settle, resume and end the session.
 */
export function sessionMark(session: string, newHash: () => Hash): string {
  const id = new Uint8Array(idBytes);
  idFromText(session, id, 0);
  const hash = newHash();
  hash.update(sessionDomain);
  hash.update(id);
  return idToText(hash.digest().subarray(0, idBytes));
}

/** Walks back over the ends of a job's leases, newest first, as many as are fields. */
export function fetchHistory(
  last: number,
  then: (history: LeaseEndInfo[]) => readonly Fetched[],
  before: readonly LeaseEndInfo[] = [],
): Fetched {
  return {
    type: 'fetch',
    fetch: {
      offsets: last === 0 ? [] : [last],
      use([record]) {
        const end = record === undefined || record === null ? null : leaseEndOf(record);
        const rows = end === null ? [] : end.kind === 'snapshot' ? end.history : [endInfo(end)];
        const history = [...before, ...rows].slice(0, limits.historyRowsMax);
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
