/**
 * The table of log records: everything that changes durable state, as the decision that was taken
 * and never as the request that led to it, so that replay decides nothing. A record on disk is one
 * byte of kind and then its fields in order.
 *
 * To add a kind: a row in the file of its family with a new number, and what it means there; what it
 * changes, in `BrokerState`; a row in `docs/reference/log-format.md`. What the compiler does not name is in
 * `docs/internals/recipes.md`. Numbers are never reused.
 */

import type { Output } from '../../../protocol/index.ts';
import { batchKinds, batchMeanings } from './batch-records.ts';
import { contentKinds, contentMeanings } from './content-records.ts';
import { earlierLayouts } from './earlier-layouts.ts';
import { type Meaning, type Meanings, RecordCodec, type RecordsOf } from './family.ts';
import { jobKinds, jobMeanings } from './job-records.ts';
import { leaseKinds, leaseMeanings } from './lease-records.ts';
import { moneyKinds, moneyMeanings } from './money-records.ts';
import { bytesOfOutput, outputKinds, outputMeanings } from './output-records.ts';
import { queueKinds, queueMeanings } from './queue-records.ts';
import { snapshotKinds, snapshotMeanings } from './snapshot-record.ts';

const brokerKinds = {
  /** The broker started; leases granted from here on carry this epoch. Acceptance numbers up to
   * `seqHighest` were given. */
  epochStarted: { number: 1, fields: { epoch: 'u53', seqHighest: 'u53', atMs: 'u53' } },
  /**
   * Any record of a retired kind, whatever it held: replay skips it, and nothing writes one. The numbers
   * are not given again: see `retiredNumbers`.
   */
  retired: { number: 15, fields: {} },
} as const;

/** Numbers of retired kinds: budgets and reservations on them. */
const retiredNumbers = [15, 16, 17] as const;

const recordKinds = {
  ...brokerKinds,
  ...jobKinds,
  ...snapshotKinds,
  ...leaseKinds,
  ...queueKinds,
  ...contentKinds,
  ...outputKinds,
  ...moneyKinds,
  ...batchKinds,
} as const;

type RecordKinds = typeof recordKinds;
type RecordName = keyof RecordKinds;

/** A decision that the log keeps. */
export type LogRecord = RecordsOf<RecordKinds>[RecordName];

/** The fields of one kind of record. */
export type RecordOf<N extends RecordName> = Extract<LogRecord, { kind: N }>;

const brokerMeanings: Meanings<typeof brokerKinds> = {
  epochStarted: {
    summarize(summary, { kind, epoch }, place) {
      summary.epoch = epoch;
      summary.keep('broker', kind, place);
    },
  },
  retired: { summarize: () => undefined },
};

/** What each kind means for summaries and for the history. */
export const meanings: Meanings<RecordKinds> = {
  ...brokerMeanings,
  ...jobMeanings,
  ...snapshotMeanings,
  ...leaseMeanings,
  ...queueMeanings,
  ...contentMeanings,
  ...outputMeanings,
  ...moneyMeanings,
  ...batchMeanings,
};

/** The numbers on disk of a kind, earlier ones included: the first byte of its records. */
export function numbersOfKind(kind: string): number[] {
  const earlier = [...earlierLayouts].filter(([, layout]) => layout.kind === kind);
  return [recordKinds[kind as RecordName].number, ...earlier.map(([number]) => number)];
}

export function meaningOf({ kind }: LogRecord): Meaning<LogRecord> {
  return meanings[kind] as Meaning<LogRecord>;
}

const codec = new RecordCodec(recordKinds);
const kindByNumber = new Map<number, RecordName>();
for (const [name, { number }] of Object.entries(recordKinds)) {
  kindByNumber.set(number, name as RecordName);
}
for (const number of retiredNumbers) kindByNumber.set(number, 'retired');

/** The bytes of a record as the log keeps them: a view, which keeps some records beside it alive. */
export function encodeRecord(record: LogRecord): Uint8Array {
  return codec.encode(record, largeBytesOf(record));
}

/** Bytes of the large fields. */
function largeBytesOf(record: LogRecord): number {
  if (record.kind === 'enqueued') {
    return record.jobs.reduce((sum, { job }) => sum + 24 + job.length, 0);
  }
  if (record.kind === 'blobChunk') return record.chunk.length;
  if (record.kind === 'leaseEnded') return bytesOfFiles(record.output);
  return record.kind === 'snapshot' ? record.job.length + bytesOfFiles(record.output) : 0;
}

function bytesOfFiles(output: Output | null): number {
  return output === null ? 0 : output.provenance.length + bytesOfOutput(output);
}

/**
 * Reads a record; `bytes` fields are views.
 * @throws Error when the kind is unknown or the fields do not fit: the log is of a later version
 */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const number = bytes[0] ?? 0;
  const earlier = earlierLayouts.get(number);
  if (earlier !== undefined) return earlier.read(bytes.subarray(1));
  const kind = kindByNumber.get(number);
  if (kind === undefined) {
    throw new Error(`the log holds a record of unknown kind ${number}: a later aiq wrote it`);
  }
  return kind === 'retired' ? { kind } : codec.decode(kind, bytes);
}
