/**
 * The table of log records: everything that changes durable state, as the decision that was taken
 * and never as the request that led to it, so that replay decides nothing. A record on disk is one
 * byte of kind and then its fields in order.
 *
 * To add a kind: a row here with a new number, a case in `JobStore.apply`, a row in
 * `docs/log-format.md`. Numbers are never reused.
 */

import {
  type FieldsCodec,
  type FieldValue,
  fieldsCodec,
  jobStates,
  usageType,
  Writer,
} from '../../protocol/index.ts';

/** Why a lease ended: the consumer's outcome, or `lost` when it ran out or its session vanished. */
export const leaseEnds = {
  ack: 1,
  retry: 2,
  throttled: 3,
  returned: 4,
  crashed: 5,
  final: 6,
  lost: 7,
} as const;
export type LeaseEnd = keyof typeof leaseEnds;

const recordKinds = {
  /** The broker started; leases granted from here on carry this epoch. */
  epochStarted: { number: 1, fields: { epoch: 'u53', atMs: 'u53' } },
  /** A job was accepted. `dueAtMs` is 0 when it is ready at once. */
  enqueued: { number: 2, fields: { atMs: 'u53', dueAtMs: 'u53', job: 'bytes' } },
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
  /** A lease ended; the counters are the job's new values. */
  leaseEnded: {
    number: 4,
    fields: {
      id: 'id',
      end: { enum: leaseEnds },
      state: { enum: jobStates },
      dueAtMs: 'u53',
      attempts: 'u32',
      crashes: 'u32',
      returns: 'u32',
      errorCode: 'text',
      errorMessage: 'text',
      note: 'text',
      usage: usageType,
      atMs: 'u53',
    },
  },
  /** A job that was not finished was cancelled, or a dead one was removed. */
  cancelled: { number: 5, fields: { id: 'id', atMs: 'u53' } },
  /** A dead job was made ready again by an operator. */
  retried: { number: 6, fields: { id: 'id', atMs: 'u53' } },
  /** Nothing of the queue is delivered from here on. */
  paused: { number: 7, fields: { queue: 'text', atMs: 'u53' } },
  unpaused: { number: 8, fields: { queue: 'text', atMs: 'u53' } },
} as const;

type RecordKinds = typeof recordKinds;
type RecordName = keyof RecordKinds;

/** A decision that the log keeps. */
export type LogRecord = {
  [N in RecordName]: { kind: N } & FieldValue<{ struct: RecordKinds[N]['fields'] }>;
}[RecordName];

/** The fields of one kind of record. */
export type RecordOf<N extends RecordName> = Extract<LogRecord, { kind: N }>;

const codecs = new Map<RecordName, FieldsCodec<never>>();
const kindByNumber = new Map<number, RecordName>();
for (const [name, { number, fields }] of Object.entries(recordKinds)) {
  codecs.set(name as RecordName, fieldsCodec(fields) as unknown as FieldsCodec<never>);
  kindByNumber.set(number, name as RecordName);
}

/** The bytes of a record as the log keeps them. */
export function encodeRecord(record: LogRecord): Uint8Array {
  const room = record.kind === 'enqueued' ? record.job.length : 0;
  const writer = new Writer(128 + room);
  writer.u8(recordKinds[record.kind].number);
  codecs.get(record.kind)?.encode(writer, record as never);
  return writer.written();
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
  const fields: object = codec.decode(bytes.subarray(1));
  return Object.assign(fields, { kind }) as LogRecord;
}
