/**
 * The short form of a segment: of all its records those that make the same state, bodies and texts
 * left out. Records say absolute values, so of each kind only the last about a job counts.
 */

import { decodeJob, encodeJob, type Value } from '../../protocol/index.ts';
import { factsOfJob } from '../events.ts';
import { decodeRecord, encodeRecord, type LogRecord, type RecordOf } from './records.ts';

/** A record with its offset; entries of a summary may share one. */
export interface PlacedRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** An entry of the summary, until a later one says more. */
interface Kept extends PlacedRecord {
  superseded: boolean;
}

/** Shortens the records of one segment, which it is given in order. */
export class SegmentSummary {
  /** In the order of their offsets. */
  readonly #entries: Kept[] = [];
  /** What is kept about each job, blob, journal and queue, by what it says. */
  readonly #things: Map<string, Map<string, Kept>> = new Map();

  /** Copies what it keeps. */
  add({ offset, bytes }: PlacedRecord): void {
    this.#add(decodeRecord(bytes), bytes, offset);
  }

  /** The records that make the same state. */
  *finish(): Iterable<PlacedRecord> {
    for (const entry of this.#entries) if (!entry.superseded) yield entry;
  }

  #add(record: LogRecord, bytes: Uint8Array, offset: number): void {
    const keep = (thing: string, what: string, short: LogRecord): void =>
      this.#keep(thing, what, { offset, bytes: encodeRecord(short) });
    switch (record.kind) {
      case 'enqueued':
        for (const job of record.jobs) this.#accept(job, record.atMs, offset);
        break;
      case 'delivered':
        keep(record.id, record.kind, record);
        break;
      case 'leaseEnded':
        keep(record.id, record.kind, shortEnd(record, bytes.length));
        if (record.state === 'done') this.#drop(journalOf(record.id));
        for (const job of record.enqueue) this.#accept(job, record.atMs, offset);
        break;
      case 'cancelled':
      case 'retried':
      case 'signalled':
      case 'expired':
        for (const id of record.ids) {
          keep(id, record.kind, { ...record, ids: [id] });
          if (record.kind === 'cancelled') this.#drop(journalOf(id));
        }
        break;
      case 'forgotten':
        for (const id of record.ids) this.#forget(id, offset);
        break;
      case 'snapshot':
        this.#restate(record, offset);
        break;
      default:
        this.#addOther(record, bytes, offset);
    }
  }

  #addOther(record: LogRecord, bytes: Uint8Array, offset: number): void {
    const entry = { offset, bytes: bytes.slice() };
    switch (record.kind) {
      case 'blobChunk': {
        const short = { ...record, chunk: new Uint8Array(0) };
        const thing = blobOf(record.sha256);
        this.#keep(thing, `chunk ${record.at}`, { offset, bytes: encodeRecord(short) });
        break;
      }
      case 'blobStored':
        this.#keep(blobOf(record.sha256), record.kind, entry);
        break;
      case 'blobDropped':
        this.#drop(blobOf(record.sha256));
        this.#keep(blobOf(record.sha256), record.kind, entry);
        break;
      case 'journaled': {
        const value = { inline: null, blob: record.value.blob };
        const thing = journalOf(record.id);
        const short = encodeRecord({ ...record, value });
        this.#keep(thing, textOf(record.callHash), { offset, bytes: short });
        break;
      }
      case 'paused':
      case 'unpaused':
        this.#keep(`queue ${record.queue}`, 'paused', entry);
        break;
      case 'queueConfigured':
        this.#keep(`queue ${record.queue}`, record.kind, entry);
        break;
      case 'epochStarted':
        this.#keep('broker', record.kind, entry);
        break;
      default:
        // Scopes and bulk operations: few, and not all of them absolute.
        this.#keep('broker', `${record.kind} ${offset}`, entry);
    }
  }

  #keep(thing: string, what: string, { offset, bytes }: PlacedRecord): void {
    let kept = this.#things.get(thing);
    if (kept === undefined) {
      kept = new Map();
      this.#things.set(thing, kept);
    }
    const before = kept.get(what);
    if (before !== undefined) before.superseded = true;
    const entry = { offset, bytes, superseded: false };
    kept.set(what, entry);
    this.#entries.push(entry);
  }

  /** Forgets what is kept about a thing, but for one part of it. */
  #drop(thing: string, except = ''): void {
    const kept = this.#things.get(thing);
    if (kept === undefined) return;
    for (const [what, entry] of kept) {
      if (what === except) continue;
      entry.superseded = true;
      kept.delete(what);
    }
    if (kept.size === 0) this.#things.delete(thing);
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
    const isNew = this.#things.get(id)?.has('accepted') === true;
    const wasForgotten = this.#things.get(id)?.has('forgotten') === true;
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

const noBytes = new Uint8Array(0);

function shortEnd(record: RecordOf<'leaseEnded'>, fullBytes: number): RecordOf<'leaseEnded'> {
  const result = shortValue(record.result);
  return { ...record, errorMessage: '', note: '', result, enqueue: [], fullBytes };
}

/** A blob is referred to; what is inline is read from the log itself. */
function shortValue(value: Value | null): Value | null {
  return value === null ? null : { inline: null, blob: value.blob };
}

function journalOf(id: string): string {
  return `journal ${id}`;
}

function blobOf(sha256: Uint8Array): string {
  return `blob ${textOf(sha256)}`;
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
