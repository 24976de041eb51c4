/** Records of jobs: accepted, moved to another state by an operator or by time, forgotten. */

import {
  blobRefType,
  decodeJob,
  type JobInfo,
  noUsage,
  priorities,
  type Value,
} from '../../../protocol/index.ts';
import { factsOfJob } from '../../events.ts';
import {
  type Jobs,
  journalOf,
  type Meaning,
  type Meanings,
  RecordCodec,
  type RecordsOf,
  type Summary,
} from './family.ts';

/** A new job as a record holds it: its acceptance number, and when it is due (0 for at once). */
export const newJob = { struct: { seq: 'u53', dueAtMs: 'u53', job: 'bytes' } } as const;

export const jobKinds = {
  /** Jobs were accepted: one, or all of an atomic batch. */
  enqueued: { number: 2, fields: { atMs: 'u53', jobs: { list: newJob } } },
  /** Jobs that were not finished were cancelled, or dead ones removed. */
  cancelled: { number: 5, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Dead jobs were made ready again by an operator. */
  retried: { number: 6, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Parked jobs were made ready. */
  signalled: { number: 9, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Jobs were not delivered in time and are dead. */
  expired: { number: 10, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Finished jobs whose retention ended are no longer known. */
  forgotten: { number: 11, fields: { ids: { list: 'id' } } },
  /** Only in summaries of segments: what the broker holds in memory of an `enqueued` job. */
  accepted: {
    number: 40,
    fields: {
      seq: 'u53',
      id: 'id',
      queue: 'text',
      digest: 'bytes',
      priority: { enum: priorities },
      attemptsMax: 'u32',
      bodyBytes: 'u53',
      jobBytes: 'u32',
      bodyRef: { optional: blobRefType },
      expiresAtMs: 'u53',
      parkKey: 'text',
      batch: 'text',
      dueAtMs: 'u53',
      atMs: 'u53',
    },
  },
  /** Ready jobs wait for a signal of the key. */
  parked: { number: 41, fields: { ids: { list: 'id' }, key: 'text', atMs: 'u53' } },
} as const;

type Records = RecordsOf<typeof jobKinds>;
type NewJob = Records['enqueued']['jobs'][number];
/** A record that moves many jobs to one state. */
type MoveRecord = Records['cancelled' | 'retried' | 'signalled' | 'expired' | 'parked'];

const codec = new RecordCodec(jobKinds);

/** The error of a job that was not delivered in time: the record has none. */
export const expiredError = { code: 'expired', message: 'it was not delivered before it expired' };

export const jobMeanings: Meanings<typeof jobKinds> = {
  enqueued: {
    summarize(summary, { jobs, atMs }, { offset }) {
      for (const job of jobs) summarizeNewJob(summary, job, atMs, offset);
    },
    fold: (jobs, record) => foldNewJobs(jobs, record.jobs, record.atMs),
  },
  cancelled: {
    summarize(summary, record, { offset }) {
      keepEach(summary, record, offset);
      for (const id of record.ids) summary.drop(journalOf(id));
    },
    fold: foldEach((info, atMs) => moveInfo(info, 'cancelled', atMs)),
  },
  retried: {
    summarize: (summary, record, { offset }) => keepEach(summary, record, offset),
    fold: foldEach((info, atMs) => {
      info.attempts = 0;
      info.crashes = 0;
      info.returns = 0;
      // An operator who retries an expired job wants it to run.
      info.expiresAtMs = 0;
      moveInfo(info, 'ready', atMs);
    }),
  },
  signalled: {
    summarize: (summary, record, { offset }) => keepEach(summary, record, offset),
    fold: foldEach((info, atMs) => moveInfo(info, 'ready', atMs)),
  },
  expired: {
    summarize: (summary, record, { offset }) => keepEach(summary, record, offset),
    fold: foldEach((info, atMs) => {
      info.errorCode = expiredError.code;
      info.errorMessage = expiredError.message;
      moveInfo(info, 'dead', atMs);
    }),
  },
  forgotten: {
    summarize(summary, { ids }, { offset }) {
      for (const id of ids) summarizeForgotten(summary, id, offset);
    },
    fold(jobs, { ids }) {
      for (const id of ids) jobs.remove(id);
    },
  },
  accepted: {
    summarize: (summary, record, place) => summary.keep(record.id, record.kind, place),
  },
  parked: {
    summarize: (summary, record, { offset }) => keepEach(summary, record, offset),
    fold(jobs, { ids, key, atMs }) {
      for (const id of ids) {
        const info = jobs.get(id);
        if (info === undefined) continue;
        moveInfo(info, 'parked', atMs);
        info.parkKey = key;
      }
    },
  },
};

/** The short form of an accepted job: what the broker holds of it in memory. */
export function summarizeNewJob(
  summary: Summary,
  { seq, dueAtMs, job }: NewJob,
  atMs: number,
  offset: number,
): void {
  const facts = factsOfJob(job);
  const short: Records['accepted'] = { kind: 'accepted', ...facts, seq, dueAtMs, atMs };
  summary.keep(short.id, short.kind, { offset, bytes: codec.encode(short) });
}

/** A record about many jobs, as one about each. */
function keepEach(summary: Summary, record: MoveRecord, offset: number): void {
  for (const id of record.ids) {
    summary.keep(id, record.kind, { offset, bytes: codec.encode({ ...record, ids: [id] }) });
  }
}

/**
 * A job that was accepted and forgotten in the segment leaves nothing. One that was known before it is
 * forgotten on replay too, and stays forgotten when the same id is accepted and forgotten again.
 */
function summarizeForgotten(summary: Summary, id: string, offset: number): void {
  const accepted = summary.find(id, 'accepted');
  if (accepted !== undefined) {
    summary.lostSeq = Math.max(summary.lostSeq, codec.decode('accepted', accepted).seq);
  }
  const wasForgotten = summary.find(id, 'forgotten') !== undefined;
  summary.drop(id, 'forgotten');
  summary.drop(journalOf(id));
  if (accepted !== undefined || wasForgotten) return;
  summary.keep(id, 'forgotten', { offset, bytes: codec.encode({ kind: 'forgotten', ids: [id] }) });
}

/** A blob is referred to; an inline value is read from the log itself. */
export function shortValue(value: Value | null): Value | null {
  return value === null ? null : { inline: null, blob: value.blob };
}

function foldEach(
  change: (info: JobInfo, atMs: number) => void,
): NonNullable<Meaning<MoveRecord>['fold']> {
  return (jobs, { ids, atMs }) => {
    for (const id of ids) {
      const info = jobs.get(id);
      if (info !== undefined) change(info, atMs);
    }
  };
}

export function foldNewJobs(jobs: Jobs, accepted: readonly NewJob[], atMs: number): void {
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

/** A job of which only the acceptance is known. */
export function newInfo(encoded: Uint8Array, atMs: number): JobInfo {
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
    output: 'none',
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
  };
}

/** A job that enters a state waits for nothing, unless its record sets it. */
export function moveInfo(info: JobInfo, state: JobInfo['state'], atMs: number): void {
  info.state = state;
  info.changedAtMs = atMs;
  info.dueAtMs = 0;
  info.parkKey = '';
}

export function bytesOfValue(value: Value | null): number {
  return value?.blob?.totalBytes ?? value?.inline?.length ?? 0;
}
