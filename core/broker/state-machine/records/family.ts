/** What the families of log records share: their codec, and what a kind means beside the state that it makes. */

import {
  type FieldsCodec,
  type FieldType,
  type FieldValue,
  fieldsCodec,
  type JobInfo,
  Writer,
} from '../../../protocol/index.ts';

/** Where a record lies in the log, and how long it is. */
export interface Place {
  readonly offset: number;
  readonly bytes: number;
}

/** A record with its offset; entries of a summary may share one. */
export interface PlacedRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Kinds of records: numbers on disk and fields, in order. */
export type Kinds = Readonly<
  Record<string, { readonly number: number; readonly fields: Readonly<Record<string, FieldType>> }>
>;

/** The records of a family, by kind. */
export type RecordsOf<K extends Kinds> = {
  [N in keyof K & string]: { kind: N } & FieldValue<{ struct: K[N]['fields'] }>;
};

/** Where the short forms of a segment's records are collected: see `SegmentSummary`. */
export interface Summary {
  /** Keeps a copy of the bytes in place of an earlier record about the same aspect of the subject. */
  keep(subject: string, aspect: string, record: PlacedRecord): void;
  /** Removes all records about the subject, but for one aspect. */
  drop(subject: string, exceptAspect?: string): void;
  /** The record that is kept about an aspect of the subject. */
  find(subject: string, aspect: string): Uint8Array | undefined;
  /** The epoch of the newest start. */
  epoch: number;
  /** The highest acceptance number of a job that leaves no record: no number is given twice. */
  lostSeq: number;
}

/** The subject of records about the journal of a job. */
export const journalOf = (id: string): string => `journal ${id}`;

/** The jobs of the history. What `get` returns may be changed, and is kept so. */
export interface Jobs {
  get(id: string): JobInfo | undefined;
  /** Adds a job, or replaces a known one. */
  put(seq: number, info: JobInfo): void;
  remove(id: string): void;
}

/** What a kind of record means beside the state that it makes. */
export interface Meaning<R> {
  /** Adds the short form to the summary of a segment: what makes the same state, bodies and texts left out. */
  readonly summarize: (summary: Summary, record: R, place: PlacedRecord) => void;
  /** Applies it to the history; absent when it concerns no job there. Skips unknown jobs. */
  readonly fold?: (jobs: Jobs, record: R) => void;
}

export type Meanings<K extends Kinds> = {
  readonly [N in keyof K & string]: Meaning<RecordsOf<K>[N]>;
};

/** Records share buffers of so many bytes: one for each would cost more than to write the record. */
const sharedBytes = 64 * 1024;
let shared = new Writer(sharedBytes);

/** Encodes and decodes records: one byte of kind, then the fields in order. */
export class RecordCodec<K extends Kinds> {
  readonly #kinds: K;
  readonly #codecs: Map<string, FieldsCodec<object>> = new Map();

  constructor(kinds: K) {
    this.#kinds = kinds;
    for (const [name, { fields }] of Object.entries(kinds)) {
      this.#codecs.set(name, fieldsCodec(fields));
    }
  }

  /**
   * The bytes of a record as the log keeps them: a view, which keeps some records beside it alive.
   * @param largeBytes bytes of the large fields, so that the writer need not grow
   */
  encode(record: RecordsOf<K>[keyof K & string], largeBytes = 0): Uint8Array {
    const room = 256 + largeBytes;
    if (shared.length + room > sharedBytes) shared = new Writer(Math.max(sharedBytes, room));
    const start = shared.length;
    shared.u8(this.#kinds[record.kind]?.number ?? 0);
    this.#codecs.get(record.kind)?.encode(shared, record);
    return shared.written(start);
  }

  /** Reads the fields of a record of that kind; `bytes` fields are views. */
  decode<N extends keyof K & string>(kind: N, bytes: Uint8Array): RecordsOf<K>[N] {
    const record = (this.#codecs.get(kind)?.decode(bytes, 1) ?? {}) as { kind?: N };
    record.kind = kind;
    return record as RecordsOf<K>[N];
  }
}
