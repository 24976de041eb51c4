/**
 * Surveys a log segment by segment and collects all problems: where recovery refuses at the first one,
 * this continues to the end. Pure: it gets bytes and changes nothing.
 */

import {
  advance,
  type BatchHeader,
  batchFrameBytes,
  decodeSegmentHeader,
  type LogCursor,
  logVersion,
  segmentHeaderBytes,
} from '../../log/format/format.ts';
import type { ProvenEnd } from '../../log/format/proven-end.ts';
import {
  asPart,
  type Hole,
  readBatches,
  type SegmentBatch,
} from '../../log/format/segment-reader.ts';
import { classifyDamage } from '../../log/recovery/classify-damage.ts';
import { isNext } from '../../log/recovery/scan.ts';
import { type LogIdentity, sameId } from './log-identity.ts';
import type { LogProblem, ProblemKind } from './problems.ts';
import type { SegmentFile } from './segment-files.ts';

/** Bytes at the end of the last segment that are not durable: a torn write, or one in progress. */
export interface LooseEnd {
  readonly file: string;
  readonly atByte: number;
  readonly bytes: number;
}

/** A segment with its valid batches. */
export interface SurveyedSegment {
  readonly file: SegmentFile;
  /** The cursor after its header; null when the header is damaged. */
  readonly start: LogCursor | null;
  readonly batches: readonly SegmentBatch[];
  /** End of its last valid batch. */
  readonly goodUpTo: number;
}

/** Random bytes are rarely a smaller number. */
const versionPlausibleMax = 999;

export class Survey {
  readonly problems: LogProblem[] = [];
  /** The segment that a broker may be writing. */
  readonly lastNumber: number;
  readonly #logId: Uint8Array;
  readonly #firstOffset: number;
  #cursor: LogCursor;
  /** Nothing was read yet: sequence and chain of the first batch are unknown. */
  #atStart = true;
  #looseEnd: LooseEnd | null = null;
  #lastBatch: SegmentBatch | null = null;
  /** Index of the problem whose lost records the next valid header determines; null when there is none. */
  #unresolved: number | null = null;
  records = 0;
  batches = 0;
  bytes = 0;
  segments = 0;

  constructor({ logId, logStart }: LogIdentity, lastNumber: number) {
    this.#logId = logId;
    this.lastNumber = lastNumber;
    this.#firstOffset = logStart.offset;
    const { segment, offset: nextOffset } = logStart;
    this.#cursor = { logId, segment, nextOffset, nextSequence: 1, chain: 0, logStart };
  }

  /** The position after what was read. */
  get cursor(): LogCursor {
    return this.#cursor;
  }

  /** Offset of the first record that is needed. */
  get firstOffset(): number {
    return this.#firstOffset;
  }

  get looseEnd(): LooseEnd | null {
    return this.#looseEnd;
  }

  /** True when the log was closed cleanly and nothing follows. */
  get clean(): boolean {
    return this.#lastBatch?.header.kind === 'cleanMark' && this.#looseEnd === null;
  }

  /** Adds the problem of missing segments; `path` is that of the first of them. */
  missing(path: string, count: number): void {
    const what = count === 1 ? 'this segment is' : `this segment and the ${count - 1} after it are`;
    const message = `${what} missing, while later ones are there`;
    this.#problem({ kind: 'missing', file: path, atByte: 0, bytes: 0, message }, null);
  }

  /** Compares the end of what was read with the proven end of the log. */
  proveEnd(path: string, proven: ProvenEnd, lastGoodUpTo: number): void {
    const { segment, bytes, offset } = proven;
    const place = { kind: 'end' as const, file: path, atByte: 0, bytes: 0 };
    if (!sameId(proven.logId, this.#logId)) {
      const message = 'this file proves the end of another log; files of two logs were mixed';
      this.#problem({ ...place, message }, null);
      return;
    }
    const isWhole =
      segment < this.lastNumber || (segment === this.lastNumber && bytes <= lastGoodUpTo);
    if (isWhole) return;
    // A problem found before reaches to the end: its lost records are known now.
    if (this.#unresolved !== null) {
      this.#resolveLost(offset + 1);
      return;
    }
    const lost = Math.max(0, offset - (this.#cursor.nextOffset - 1));
    const reached = `this file proves that the log reached record ${offset}, at byte ${bytes} of segment ${segment}`;
    const message = `${reached}, and it ends with record ${this.#cursor.nextOffset - 1}, at byte ${lastGoodUpTo} of segment ${this.lastNumber}`;
    this.#looseEnd = null;
    this.#problem({ ...place, message }, lost);
  }

  /** Reads the next existing segment. */
  add(file: SegmentFile): SurveyedSegment {
    this.segments += 1;
    this.bytes += file.bytes.length;
    if (file.unreadable !== null) {
      const message = `the disk could not read this segment: ${file.unreadable}`;
      this.#problem({ kind: 'unreadable', file: file.path, atByte: 0, bytes: 0, message }, 0);
    }
    const start = this.#header(file);
    if (start === 'skip') return { file, start: null, batches: [], goodUpTo: 0 };
    const batches = this.#batches(file);
    return { file, start, batches, goodUpTo: endOf(batches) };
  }

  /** The cursor after the header; null when it is damaged, `skip` when the segment is of another log. */
  #header(file: SegmentFile): LogCursor | null | 'skip' {
    const header = decodeSegmentHeader(file.bytes);
    const place = { file: file.path, atByte: 0, bytes: 0 };
    if (!header.ok) return this.#badHeader(file, header.version);
    const { cursor, previousChain } = header;
    if (!sameId(cursor.logId, this.#logId)) {
      const message = 'this segment belongs to another log; files of two logs were mixed';
      this.#problem({ ...place, kind: 'foreign', message }, null);
      return 'skip';
    }
    if (!this.#isContinued(cursor, previousChain)) {
      const message = 'this segment is not the continuation of the one before it';
      this.#problem({ ...place, kind: 'order', message }, null);
    }
    if (cursor.segment !== file.number) {
      const message = `by its header this is segment ${cursor.segment}: the file was renamed`;
      this.#problem({ ...place, kind: 'order', message }, 0);
    }
    this.#resolveLost(cursor.nextOffset);
    this.#cursor = cursor;
    return cursor;
  }

  /** Whether a segment follows what was read; unknown after damage. */
  #isContinued(start: LogCursor, previousChain: number): boolean {
    if (this.#unresolved !== null) return true;
    const { nextOffset, nextSequence, chain } = this.#cursor;
    if (start.nextOffset !== nextOffset) return false;
    return this.#atStart || (start.nextSequence === nextSequence && previousChain === chain);
  }

  #badHeader(file: SegmentFile, version: number): null | 'skip' {
    const { path, bytes } = file;
    if (this.#isOfVersion(file, version)) {
      const message = `log format ${version}, of which this version of aiq (format ${logVersion}) reads nothing`;
      this.#problem({ kind: 'version', file: path, atByte: 4, bytes: bytes.length, message }, null);
      return 'skip';
    }
    const damaged = Math.min(bytes.length, segmentHeaderBytes);
    const message = 'the header of this segment is damaged';
    this.#problem({ kind: 'header', file: path, atByte: 0, bytes: damaged, message }, null);
    return null;
  }

  /** Whether another version wrote the segment; otherwise the version number itself is damaged. */
  #isOfVersion(segment: SegmentFile, version: number): boolean {
    if (version === logVersion || version < 1 || version > versionPlausibleMax) return false;
    return [...readBatches(asPart(segment), this.#logId, 0)].every(({ type }) => type === 'hole');
  }

  #batches(file: SegmentFile): SegmentBatch[] {
    const afterSequence = this.#cursor.nextSequence - 1;
    const good: SegmentBatch[] = [];
    for (const found of readBatches(asPart(file), this.#logId, afterSequence)) {
      if (found.type === 'hole') {
        if (this.#isLooseEnd(file, found)) break;
        this.#hole(file, found);
      } else if (this.#follows(file, found)) {
        good.push(found);
        this.#lastBatch = found;
        this.batches += 1;
        this.records += found.records.length;
      }
    }
    return good;
  }

  #isLooseEnd(file: SegmentFile, { atByte, header, reason }: Hole): boolean {
    if (file.number !== this.lastNumber || reason !== 'damaged') return false;
    if (classifyDamage(file.bytes, { atByte, header }, this.#cursor) !== 'torn') return false;
    this.#looseEnd = { file: file.path, atByte, bytes: file.bytes.length - atByte };
    return true;
  }

  #hole(file: SegmentFile, { atByte, bytes, header, reason }: Hole): void {
    if (header !== null) this.#checkOrder(file.path, atByte, header);
    const place = { file: file.path, atByte, bytes };
    this.#problem({ ...place, ...holeTexts[reason] }, header?.recordCount ?? null);
    if (header !== null) this.#moveAfter(header);
  }

  /** Whether a valid batch is new; a repeated one is left out. */
  #follows(file: SegmentFile, { atByte, header, payload }: SegmentBatch): boolean {
    const lastSequence = this.#cursor.nextSequence - 1;
    if (header.sequence <= lastSequence) {
      const bytes = batchFrameBytes + payload.length;
      const message = `batch ${header.sequence} is here again, after batch ${lastSequence}`;
      this.#problem({ kind: 'order', file: file.path, atByte, bytes, message }, 0);
      return false;
    }
    this.#checkOrder(file.path, atByte, header);
    this.#moveAfter(header);
    return true;
  }

  /** Adds the problem of batches missing before this header. */
  #checkOrder(path: string, atByte: number, header: BatchHeader): void {
    const cursor = this.#cursor;
    if (this.#unresolved === null && !isNext(header, cursor)) {
      const message =
        `found batch ${header.sequence} with records from ${header.firstOffset}, expected batch ` +
        `${cursor.nextSequence} with records from ${cursor.nextOffset}`;
      const missing = Math.max(0, header.firstOffset - cursor.nextOffset);
      this.#problem({ kind: 'order', file: path, atByte, bytes: 0, message }, missing);
    }
    this.#resolveLost(header.firstOffset);
  }

  #moveAfter(header: BatchHeader): void {
    const { sequence: nextSequence, firstOffset: nextOffset } = header;
    this.#cursor = advance({ ...this.#cursor, nextSequence, nextOffset }, header);
  }

  /** A valid header gives the next record, and with it how many were lost since the last one. */
  #resolveLost(offset: number): void {
    const index = this.#unresolved;
    this.#unresolved = null;
    const problem = index === null ? undefined : this.problems[index];
    this.#atStart = false;
    if (index === null || problem === undefined) return;
    const records = Math.max(0, offset - this.#cursor.nextOffset);
    this.problems[index] = { ...problem, records };
  }

  #problem(problem: Omit<LogProblem, 'firstOffset' | 'records'>, records: number | null): void {
    const firstOffset = this.#cursor.nextOffset;
    this.problems.push({ ...problem, firstOffset, records });
    // Of several in a row the first one gets the records lost between two valid headers.
    if (records === null) this.#unresolved ??= this.problems.length - 1;
  }
}

function endOf(batches: readonly SegmentBatch[]): number {
  const last = batches.at(-1);
  return last === undefined
    ? segmentHeaderBytes
    : last.atByte + batchFrameBytes + last.payload.length;
}

const holeTexts: Readonly<Record<Hole['reason'], { kind: ProblemKind; message: string }>> = {
  damaged: { kind: 'batch', message: 'the bytes of a batch are damaged' },
  misfit: {
    kind: 'batch',
    message: 'the records of a batch do not fill it, though its checksums hold',
  },
  unknownKind: {
    kind: 'kind',
    message: 'a batch of a kind that only a later version of aiq knows',
  },
};
