/**
 * The short form of a segment: of all its records those that make the same state, bodies and texts
 * left out. Records say absolute values, so of each kind only the last about a job counts.
 */

import { decodeJob, encodeJob, limits, type Value } from '../../../protocol/index.ts';
import { factsOfJob } from '../../events.ts';
import {
  bytesOfJobs,
  decodeRecord,
  encodeRecord,
  type LogRecord,
  type RecordOf,
} from './records.ts';

/** A record with its offset; entries of a summary may share one. */
export interface PlacedRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** An entry of the summary, until a later one says more. */
interface Kept {
  readonly offset: number;
  /** What it says about its thing. */
  readonly what: string;
  /** Its bytes lie there: a view for each entry would take more than they do. */
  readonly piece: Uint8Array;
  readonly from: number;
  readonly to: number;
  superseded: boolean;
}

/** Most things have one entry only, which needs no map. */
type Entries = Kept | Map<string, Kept>;

/** Copied bytes lie together in pieces of this size, or of their own when they are longer. */
const pieceBytes = 64 * 1024;

type Rule<R extends LogRecord> = (record: R, place: PlacedRecord) => void;

/** Shortens the records of one segment, which it is given in order. */
export class SegmentSummary {
  /** In the order of their offsets. */
  readonly #entries: Kept[] = [];
  /** What is kept about each job, blob, journal and queue, by what it says. */
  readonly #things: Map<string, Entries> = new Map();
  #piece = new Uint8Array(0);
  /** Bytes used of the piece. */
  #used = 0;

  #lastOffset = 0;
  #epoch = 0;
  /** The highest acceptance number of a job that leaves nothing else: none is given twice. */
  #lostSeq = 0;
  /** What is kept of each kind of record. */
  readonly #rules: { readonly [N in LogRecord['kind']]: Rule<RecordOf<N>> } = {
    enqueued: ({ jobs, atMs }, { offset }) => {
      for (const job of jobs) this.#accept(job, atMs, offset);
    },
    accepted: (record, place) => this.#keep(record.id, record.kind, place),
    delivered: (record, place) => this.#keep(record.id, record.kind, place),
    leaseEnded: (record, { offset, bytes }) => {
      const short = encodeRecord(shortEnd(record, bytes.length));
      this.#keep(record.id, endOf(record), { offset, bytes: short });
      if (record.state === 'done') this.#drop(journalOf(record.id));
      for (const job of record.enqueue) this.#accept(job, record.atMs, offset);
    },
    cancelled: (record, place) => {
      this.#keepEach(record, place);
      for (const id of record.ids) this.#drop(journalOf(id));
    },
    retried: (record, place) => this.#keepEach(record, place),
    signalled: (record, place) => this.#keepEach(record, place),
    expired: (record, place) => this.#keepEach(record, place),
    forgotten: ({ ids }, { offset }) => {
      for (const id of ids) this.#forget(id, offset);
    },
    snapshot: (record, { offset }) => this.#restate(record, offset),
    paused: ({ queue }, place) => this.#keep(queueOf(queue), 'paused', place),
    unpaused: ({ queue }, place) => this.#keep(queueOf(queue), 'paused', place),
    queueConfigured: ({ queue, kind }, place) => this.#keep(queueOf(queue), kind, place),
    epochStarted: ({ kind, epoch }, place) => {
      this.#epoch = epoch;
      this.#keep('broker', kind, place);
    },
    // Bulk operations: few, and not all of what is said of them is absolute.
    bulkStarted: (record, place) => this.#keepAlways(record, place),
    bulkStepped: (record, place) => this.#keepAlways(record, place),
    bulkEnded: (record, place) => this.#keepAlways(record, place),
    retired: () => undefined,
    blobChunk: (record, { offset }) => {
      const bytes = encodeRecord({ ...record, chunk: noBytes });
      this.#keep(blobOf(record.sha256), `chunk ${record.at}`, { offset, bytes });
    },
    blobStored: ({ sha256, kind }, place) => this.#keep(blobOf(sha256), kind, place),
    blobDropped: ({ sha256, kind }, place) => {
      this.#drop(blobOf(sha256));
      this.#keep(blobOf(sha256), kind, place);
    },
    journaled: (record, { offset }) => {
      const value = { inline: null, blob: record.value.blob };
      const bytes = encodeRecord({ ...record, value });
      this.#keep(journalOf(record.id), textOf(record.callHash), { offset, bytes });
    },
  };

  /** Copies what it keeps. */
  add({ offset, bytes }: PlacedRecord): void {
    const record = decodeRecord(bytes);
    const shorten = this.#rules[record.kind] as Rule<LogRecord>;
    this.#lastOffset = offset;
    shorten(record, { offset, bytes });
  }

  /** The records that make the same state. */
  *finish(): Iterable<PlacedRecord> {
    for (const entry of this.#entries) {
      if (!entry.superseded) yield { offset: entry.offset, bytes: bytesOf(entry) };
    }
    if (this.#lostSeq === 0) return;
    const numbers = { epoch: this.#epoch, seqHighest: this.#lostSeq, atMs: 0 };
    const bytes = encodeRecord({ kind: 'epochStarted', ...numbers });
    yield { offset: this.#lastOffset, bytes };
  }

  #keepAlways({ kind }: LogRecord, place: PlacedRecord): void {
    this.#keep('broker', `${kind} ${place.offset}`, place);
  }

  /** A record about many jobs, as one about each. */
  #keepEach(
    record: RecordOf<'cancelled' | 'retried' | 'signalled' | 'expired'>,
    { offset }: PlacedRecord,
  ): void {
    for (const id of record.ids) {
      this.#keep(id, record.kind, { offset, bytes: encodeRecord({ ...record, ids: [id] }) });
    }
  }

  /** Keeps a copy of the bytes in place of what was kept before about the same. */
  #keep(thing: string, what: string, { offset, bytes }: PlacedRecord): void {
    const entry = this.#copy(what, offset, bytes);
    this.#entries.push(entry);
    const kept = this.#things.get(thing);
    if (kept === undefined || (!(kept instanceof Map) && kept.what === what)) {
      if (kept !== undefined) kept.superseded = true;
      this.#things.set(thing, entry);
      return;
    }
    const all = kept instanceof Map ? kept : new Map([[kept.what, kept]]);
    const before = all.get(what);
    if (before !== undefined) before.superseded = true;
    all.set(what, entry);
    this.#things.set(thing, all);
  }

  #copy(what: string, offset: number, bytes: Uint8Array): Kept {
    if (this.#used + bytes.length > this.#piece.length) {
      this.#piece = new Uint8Array(Math.max(pieceBytes, bytes.length));
      this.#used = 0;
    }
    const from = this.#used;
    this.#piece.set(bytes, from);
    this.#used += bytes.length;
    return { offset, what, piece: this.#piece, from, to: this.#used, superseded: false };
  }

  /** Forgets what is kept about a thing, but for one part of it. */
  #drop(thing: string, except = ''): void {
    const kept = this.#things.get(thing);
    if (kept === undefined) return;
    for (const entry of kept instanceof Map ? kept.values() : [kept]) {
      if (entry.what !== except) entry.superseded = true;
    }
    const left = kept instanceof Map ? kept.get(except) : kept.what === except ? kept : undefined;
    if (left === undefined) this.#things.delete(thing);
    else this.#things.set(thing, left);
  }

  #kept(thing: string, what: string): Kept | undefined {
    const kept = this.#things.get(thing);
    if (kept instanceof Map) return kept.get(what);
    return kept?.what === what ? kept : undefined;
  }

  #accept(
    { seq, dueAtMs, job }: RecordOf<'enqueued'>['jobs'][number],
    atMs: number,
    offset: number,
  ): void {
    const facts = factsOfJob(decodeJob(job), job.length);
    const short: RecordOf<'accepted'> = { kind: 'accepted', ...facts, seq, dueAtMs, atMs };
    this.#keep(short.id, short.kind, { offset, bytes: encodeRecord(short) });
  }

  /**
   * A job that came and went leaves nothing. One that was there before the segment must go on
   * replay too, and stay gone when the same id came and went again.
   */
  #forget(id: string, offset: number): void {
    const accepted = this.#kept(id, 'accepted');
    const isNew = accepted !== undefined;
    if (isNew) this.#lostSeq = Math.max(this.#lostSeq, seqOf(accepted));
    const wasForgotten = this.#kept(id, 'forgotten') !== undefined;
    this.#drop(id, 'forgotten');
    this.#drop(journalOf(id));
    if (isNew || wasForgotten) return;
    this.#keep(id, 'forgotten', { offset, bytes: encodeRecord({ kind: 'forgotten', ids: [id] }) });
  }

  /** All that was said before about the job stands in the snapshot as well. */
  #restate(record: RecordOf<'snapshot'>, offset: number): void {
    const job = decodeJob(record.job);
    this.#drop(job.id, 'forgotten');
    const withoutTexts = { ...job, body: noBytes, agent: '', source: '', tags: [] };
    const short: RecordOf<'snapshot'> = {
      ...record,
      // Nobody checks the checksum of a job that is not handed out.
      job: encodeJob(withoutTexts, () => 0),
      errorMessage: '',
      note: '',
      result: shortValue(record.result),
      history: [],
    };
    this.#keep(job.id, record.kind, { offset, bytes: encodeRecord(short) });
  }
}

/** The acceptance number that an entry tells. */
function seqOf(entry: Kept): number {
  const record = decodeRecord(bytesOf(entry));
  return record.kind === 'accepted' ? record.seq : 0;
}

function bytesOf({ piece, from, to }: Kept): Uint8Array {
  return piece.subarray(from, to);
}

const noBytes = new Uint8Array(0);

function shortEnd(record: RecordOf<'leaseEnded'>, bytes: number): RecordOf<'leaseEnded'> {
  const fullBytes = bytes - bytesOfJobs(record.enqueue);
  const result = shortValue(record.result);
  return { ...record, errorMessage: '', note: '', result, enqueue: [], fullBytes };
}

/** The last twice ten ends of a job's leases stand apart: the bytes of all of them count. */
function endOf({ kind, delivery }: RecordOf<'leaseEnded'>): string {
  return `${kind} ${delivery % (2 * limits.historyRowsMax)}`;
}

/** A blob is referred to; what is inline is read from the log itself. */
function shortValue(value: Value | null): Value | null {
  return value === null ? null : { inline: null, blob: value.blob };
}

function journalOf(id: string): string {
  return `journal ${id}`;
}

function queueOf(name: string): string {
  return `queue ${name}`;
}

function blobOf(sha256: Uint8Array): string {
  return `blob ${textOf(sha256)}`;
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
