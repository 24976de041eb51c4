/**
 * The table of log records: everything that changes durable state, as the decision that was taken
 * and never as the request that led to it, so that replay decides nothing. A record on disk is one
 * byte of kind and then its fields in order.
 *
 * To add a kind: a row here with a new number, a case in `JobStore.apply`, a row in
 * `docs/reference/log-format.md`. Numbers are never reused.
 */

import {
  blobRefType,
  type FieldsCodec,
  type FieldValue,
  fieldsCodec,
  jobStates,
  leaseEndInfoType,
  leaseEnds,
  priorities,
  usageType,
  valueType,
  Writer,
} from '../../../protocol/index.ts';

/** Bulk operations: many jobs, in steps of bounded size, each step logged. */
export const bulkActions = { purge: 1, retryDead: 2, signal: 3 } as const;
export type BulkAction = keyof typeof bulkActions;

/** A new job as a record holds it: its acceptance number, and when it is due (0 for at once). */
const newJob = { struct: { seq: 'u53', dueAtMs: 'u53', job: 'bytes' } } as const;

const recordKinds = {
  /** The broker started; leases granted from here on carry this epoch. Acceptance numbers up to
   * `seqHighest` were given. */
  epochStarted: { number: 1, fields: { epoch: 'u53', seqHighest: 'u53', atMs: 'u53' } },
  /** Jobs were accepted: one, or all of an atomic batch. */
  enqueued: { number: 2, fields: { atMs: 'u53', jobs: { list: newJob } } },
  /** A lease was granted. */
  delivered: {
    number: 3,
    fields: {
      id: 'id',
      epoch: 'u53',
      delivery: 'u32',
      session: 'id',
      isolated: 'bool',
      atMs: 'u53',
    },
  },
  /**
   * A lease ended; the counters are the job's new values. With an ack come result and follow-up
   * jobs, so that all of it is durable together or not at all.
   */
  leaseEnded: {
    number: 4,
    fields: {
      id: 'id',
      end: { enum: leaseEnds },
      state: { enum: jobStates },
      dueAtMs: 'u53',
      /** Set when the new state is `parked`. */
      parkKey: 'text',
      attempts: 'u32',
      crashes: 'u32',
      returns: 'u32',
      /** When it first came back uncharged; 0 when it never did. */
      returnsSinceMs: 'u53',
      /** Whose lease it was. */
      delivery: 'u32',
      session: 'id',
      errorCode: 'text',
      errorMessage: 'text',
      note: 'text',
      usage: usageType,
      result: { optional: valueType },
      enqueue: { list: newJob },
      /** Offset of the record that says how its lease before ended; 0 when there is none. */
      previous: 'u53',
      /** In a summary, where texts are left out: bytes of the whole record but for follow-up jobs.
       * 0 in the log itself. */
      fullBytes: 'u32',
      atMs: 'u53',
    },
  },
  /** Jobs that were not finished were cancelled, or dead ones removed. */
  cancelled: { number: 5, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Dead jobs were made ready again by an operator. */
  retried: { number: 6, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Nothing of the queue is delivered from here on. */
  paused: { number: 7, fields: { queue: 'text', atMs: 'u53' } },
  unpaused: { number: 8, fields: { queue: 'text', atMs: 'u53' } },
  /** Parked jobs were made ready. */
  signalled: { number: 9, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Jobs were not delivered in time and are dead. */
  expired: { number: 10, fields: { ids: { list: 'id' }, atMs: 'u53' } },
  /** Finished jobs whose retention ended are no longer known. */
  forgotten: { number: 11, fields: { ids: { list: 'id' } } },
  /** A queue got limits and retention of its own; 0 means the broker's. */
  queueConfigured: {
    number: 12,
    fields: { queue: 'text', jobsMax: 'u53', bytesMax: 'u53', keepMs: 'u53', keepJobs: 'u53' },
  },
  /** A bulk operation began; it concerns jobs up to acceptance number `seqMax`. */
  bulkStarted: {
    number: 13,
    fields: {
      bulk: 'u53',
      action: { enum: bulkActions },
      queue: { optional: 'text' },
      /** The errorCode of `retryDead`, the key of `signal`. */
      key: { optional: 'text' },
      seqMax: 'u53',
      touched: 'u53',
      /** Of jobs that came to their state when it began, those before were touched; see `BulkWalk`. */
      nextSeq: 'u53',
      atMs: 'u53',
    },
  },
  /** How many jobs it changed so far, and where it goes on. */
  bulkStepped: { number: 24, fields: { bulk: 'u53', touched: 'u53', nextSeq: 'u53' } },
  bulkEnded: { number: 14, fields: { bulk: 'u53' } },
  /**
   * Stands for every record of a kind that is no more, whatever it held: replay skips it, and nothing
   * writes one. The numbers are not given again: see `retiredNumbers`.
   */
  retired: { number: 15, fields: {} },
  /** A chunk of a blob; chunks are logged in order from 0. */
  blobChunk: {
    number: 18,
    /** `chunkBytes` is the length of the chunk; a summary leaves the chunk itself out. */
    fields: { sha256: 'bytes', totalBytes: 'u53', at: 'u53', chunkBytes: 'u32', chunk: 'bytes' },
  },
  /** All chunks are there and the hash fits: jobs may refer to it. */
  blobStored: { number: 19, fields: { sha256: 'bytes', totalBytes: 'u53', atMs: 'u53' } },
  blobDropped: { number: 20, fields: { sha256: 'bytes' } },
  /** An entry of a job's journal: written once, never changed. */
  journaled: {
    number: 21,
    /** `inlineBytes` is the length of an inline value; a summary leaves the value itself out. */
    fields: {
      id: 'id',
      callHash: 'bytes',
      value: valueType,
      inlineBytes: 'u32',
      atMs: 'u53',
    },
  },
  /** Compaction: the whole of a job said again, so that older records about it can go. */
  snapshot: {
    number: 22,
    fields: {
      seq: 'u53',
      state: { enum: jobStates },
      attempts: 'u32',
      crashes: 'u32',
      returns: 'u32',
      returnsSinceMs: 'u53',
      deliveries: 'u32',
      leaseEpoch: 'u53',
      /** Of the newest delivery; absent before the first. */
      session: { optional: 'id' },
      isolated: 'bool',
      lastEnd: { optional: { enum: leaseEnds } },
      enqueuedAtMs: 'u53',
      changedAtMs: 'u53',
      dueAtMs: 'u53',
      expiresAtMs: 'u53',
      parkKey: 'text',
      /** The job as enqueued, its body left out (but counted) once it is done or cancelled. */
      bodyBytes: 'u53',
      bodyInLog: 'bool',
      /** Bytes of `job` in the log; a summary leaves the body out. */
      jobBytes: 'u32',
      job: 'bytes',
      /** Bytes of what is told about its last lease; 0 when it had none that ended. */
      lastBytes: 'u32',
      errorCode: 'text',
      errorMessage: 'text',
      note: 'text',
      usage: usageType,
      result: { optional: valueType },
      history: { list: leaseEndInfoType },
    },
  },
  /** Only in summaries of segments: what the broker holds in memory of an `enqueued` job. */
  accepted: {
    number: 23,
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
      dueAtMs: 'u53',
      atMs: 'u53',
    },
  },
} as const;

/** Numbers of kinds that are no more: budgets and reservations on them. */
const retiredNumbers = [15, 16, 17] as const;

type RecordKinds = typeof recordKinds;
type RecordName = keyof RecordKinds;

/** A decision that the log keeps. */
export type LogRecord = {
  [N in RecordName]: { kind: N } & FieldValue<{ struct: RecordKinds[N]['fields'] }>;
}[RecordName];

/** The fields of one kind of record. */
export type RecordOf<N extends RecordName> = Extract<LogRecord, { kind: N }>;

/** Where a record stands in the log, and how long it is. */
export interface Place {
  readonly offset: number;
  readonly bytes: number;
}

/** Bytes of follow-up jobs in a record: they count for those jobs. */
export function bytesOfJobs(jobs: RecordOf<'leaseEnded'>['enqueue']): number {
  return jobs.reduce((sum, { job }) => sum + job.length, 0);
}

const codecs = new Map<RecordName, FieldsCodec<never>>();
const kindByNumber = new Map<number, RecordName>();
for (const [name, { number, fields }] of Object.entries(recordKinds)) {
  codecs.set(name as RecordName, fieldsCodec(fields) as unknown as FieldsCodec<never>);
  kindByNumber.set(number, name as RecordName);
}
for (const number of retiredNumbers) kindByNumber.set(number, 'retired');

/** Records share buffers of so many bytes: one for each would cost more than to write the record. */
const sharedBytes = 64 * 1024;
let shared = new Writer(sharedBytes);

/** The bytes of a record as the log keeps them: a view, which keeps some records beside it alive. */
export function encodeRecord(record: LogRecord): Uint8Array {
  const room = 256 + roomOf(record);
  if (shared.length + room > sharedBytes) shared = new Writer(Math.max(sharedBytes, room));
  const start = shared.length;
  shared.u8(recordKinds[record.kind].number);
  codecs.get(record.kind)?.encode(shared, record as never);
  return shared.written().subarray(start);
}

/** Bytes of the large fields, so that the writer need not grow. */
function roomOf(record: LogRecord): number {
  if (record.kind === 'enqueued') {
    return record.jobs.reduce((sum, { job }) => sum + 24 + job.length, 0);
  }
  if (record.kind === 'blobChunk') return record.chunk.length;
  return record.kind === 'snapshot' ? record.job.length : 0;
}

/**
 * Reads a record; `bytes` fields are views.
 * @throws Error when the kind is unknown or the fields do not fit: the log is of a later version
 */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const kind = kindByNumber.get(bytes[0] ?? 0);
  const codec = kind === undefined ? undefined : codecs.get(kind);
  if (kind === undefined || codec === undefined) {
    throw new Error(`the log holds a record of unknown kind ${bytes[0]}: a later aiq wrote it`);
  }
  if (kind === 'retired') return { kind };
  const fields: object = codec.decode(bytes.subarray(1));
  return Object.assign(fields, { kind }) as LogRecord;
}
