/**
 * The short form of a segment: of all its records those that make the same state, bodies and texts
 * left out. Records hold absolute values, so of each kind only the last about a job counts; the
 * `Meaning` of a kind defines what is kept.
 */

import { type PlacedRecord, type Summary } from './family.ts';
import { decodeRecord, encodeRecord, meaningOf } from './records.ts';

/** A record of the summary, until a later one supersedes it. */
interface Kept {
  readonly offset: number;
  /** Which aspect of its subject it is about. */
  readonly aspect: string;
  /** Its bytes lie there: a view for each entry would take more than they do. */
  readonly piece: Uint8Array;
  readonly from: number;
  readonly to: number;
  superseded: boolean;
}

/** Most subjects have one entry only, which needs no map. */
type Entries = Kept | Map<string, Kept>;

/** Copied bytes lie together in pieces of this size, or of their own when they are longer. */
const pieceBytes = 64 * 1024;

/** Summarizes the records of one segment, which it is given in order. */
export class SegmentSummary implements Summary {
  epoch = 0;
  lostSeq = 0;
  /** In the order of their offsets. */
  readonly #entries: Kept[] = [];
  /** What is kept about each job, blob, journal and queue, by aspect. */
  readonly #subjects: Map<string, Entries> = new Map();
  #piece = new Uint8Array(0);
  /** Bytes used of the piece. */
  #used = 0;
  #lastOffset = 0;

  /** Copies what it keeps. */
  add(placed: PlacedRecord): void {
    const record = decodeRecord(placed.bytes);
    this.#lastOffset = placed.offset;
    meaningOf(record).summarize(this, record, placed);
  }

  /** The records that make the same state. */
  *finish(): Iterable<PlacedRecord> {
    for (const entry of this.#entries) {
      if (!entry.superseded) yield { offset: entry.offset, bytes: bytesOf(entry) };
    }
    if (this.lostSeq === 0) return;
    const numbers = { epoch: this.epoch, seqHighest: this.lostSeq, atMs: 0 };
    const bytes = encodeRecord({ kind: 'epochStarted', ...numbers });
    yield { offset: this.#lastOffset, bytes };
  }

  keep(subject: string, aspect: string, { offset, bytes }: PlacedRecord): void {
    const entry = this.#copy(aspect, offset, bytes);
    this.#entries.push(entry);
    const kept = this.#subjects.get(subject);
    if (kept === undefined || (!(kept instanceof Map) && kept.aspect === aspect)) {
      if (kept !== undefined) kept.superseded = true;
      this.#subjects.set(subject, entry);
      return;
    }
    const all = kept instanceof Map ? kept : new Map([[kept.aspect, kept]]);
    const before = all.get(aspect);
    if (before !== undefined) before.superseded = true;
    all.set(aspect, entry);
    this.#subjects.set(subject, all);
  }

  drop(subject: string, exceptAspect = ''): void {
    const kept = this.#subjects.get(subject);
    if (kept === undefined) return;
    for (const entry of kept instanceof Map ? kept.values() : [kept]) {
      if (entry.aspect !== exceptAspect) entry.superseded = true;
    }
    const left = this.#entry(subject, exceptAspect);
    if (left === undefined) this.#subjects.delete(subject);
    else this.#subjects.set(subject, left);
  }

  find(subject: string, aspect: string): Uint8Array | undefined {
    const entry = this.#entry(subject, aspect);
    return entry === undefined ? undefined : bytesOf(entry);
  }

  #entry(subject: string, aspect: string): Kept | undefined {
    const kept = this.#subjects.get(subject);
    if (kept instanceof Map) return kept.get(aspect);
    return kept?.aspect === aspect ? kept : undefined;
  }

  #copy(aspect: string, offset: number, bytes: Uint8Array): Kept {
    if (this.#used + bytes.length > this.#piece.length) {
      this.#piece = new Uint8Array(Math.max(pieceBytes, bytes.length));
      this.#used = 0;
    }
    const from = this.#used;
    this.#piece.set(bytes, from);
    this.#used += bytes.length;
    return { offset, aspect, piece: this.#piece, from, to: this.#used, superseded: false };
  }
}

function bytesOf({ piece, from, to }: Kept): Uint8Array {
  return piece.subarray(from, to);
}
