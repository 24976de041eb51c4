/**
 * Recovery: replays the log at start, from summaries where they are valid, else from whole segments,
 * and always from the last segment. It either returns the position to continue from or refuses, and
 * changes nothing on disk; `open.ts` does that afterwards.
 */

import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import type { Replay, SealedSegment } from '../contract.ts';
import type { Disk } from '../disk/disk.ts';
import { BatchIndex } from '../format/batch-index.ts';
import {
  type BatchKind,
  decodeSegmentHeader,
  encodeSegmentHeader,
  type LogCursor,
  type LogStart,
  logIdBytes,
  noLogStart,
  segmentName,
  summaryName,
} from '../format/format.ts';
import { type Proof, type ProvenEnd, readProof } from '../format/proven-end.ts';
import { asPart, type Segment, type SegmentBatch } from '../format/segment-reader.ts';
import type { Summary } from '../format/summary-format.ts';
import { classifyDamage } from './classify-damage.ts';
import { readHeader, summaryFits } from './continuity.ts';
import {
  checkNoneMissing,
  type LogFiles,
  listLogFiles,
  readHead,
  readSegment,
  readSummary,
  type SegmentHead,
} from './log-files.ts';
import {
  ambiguouslyDamaged,
  durableDamaged,
  endMissing,
  headerDamaged,
  notOfThisLog,
  wrongVersion,
} from './refusals.ts';
import { scanBatches } from './scan.ts';

export interface RecoveredLog extends RecoveredTail {
  readonly isNew: boolean;
  readonly sealed: readonly SealedSegment[];
  /** Records read one by one, and summaries read instead of segments. */
  readonly records: number;
  readonly summaries: number;
  /** Content of the file that proves the end of the log. */
  readonly proof: Proof;
  /** Names of files that are not needed any more. */
  readonly leftovers: readonly string[];
}

/** The last segment. */
export interface RecoveredTail {
  /** At the end of its valid batches, and before its header. */
  readonly cursor: LogCursor;
  readonly before: LogCursor;
  readonly firstOffset: number;
  readonly index: BatchIndex;
  /** Its valid bytes; only its header when it was missing or empty. */
  readonly tail: Uint8Array;
  /** Kind of the last valid batch; null when there is none. */
  readonly lastKind: BatchKind | null;
  /** A torn write at the end, to be cut off. */
  readonly torn: { readonly atByte: number; readonly bytes: Uint8Array } | null;
}

/**
 * @throws LogDamagedError when accepted jobs may be lost, or another version wrote the log
 * @throws Error naming the file that the disk could not read
 */
export async function recover(disk: Disk, dir: string, replay: Replay): Promise<RecoveredLog> {
  const files = await listLogFiles(disk, dir);
  const proof = await readProof(disk, dir, files.names);
  const recovery = new Recovery(disk, dir, replay);
  const lastNumber = files.segments.at(-1);
  if (lastNumber === undefined) {
    if (proof.state === 'good') throw endMissing(dir, proof.end, null);
    checkNoneMissing(dir, files, 1);
    replay.begin(0);
    const leftovers = files.temporary;
    return { ...newTail(blankCursor(), 1), ...recovery.found, isNew: true, proof, leftovers };
  }
  const last = await readSegment(disk, dir, lastNumber);
  const end = proof.state === 'good' ? proof.end : null;
  const logStart = findLogStart(last, end, files);
  checkNoneMissing(dir, files, logStart.segment);
  replay.begin(logStart.writtenAt);
  let before = await recovery.start(logStart);
  const segmentsTotal = lastNumber + 1 - logStart.segment;
  for (let number = logStart.segment; number < lastNumber; number++) {
    replay.progress?.(number - logStart.segment, segmentsTotal);
    before = await recovery.sealed(number, before, files.summaries.has(number));
  }
  replay.progress?.(segmentsTotal - 1, segmentsTotal);
  const tail = recovery.last(last, before, end);
  const leftovers = leftoversOf(files, logStart.segment, recovery.found.sealed);
  return { ...tail, ...recovery.found, isNew: false, proof, leftovers };
}

/**
 * The newest log start, from the header or a batch of the last segment. Before it is trusted, that
 * segment must be of this log, and the last one that there was.
 */
function findLogStart(last: Segment, proven: ProvenEnd | null, { summaries }: LogFiles): LogStart {
  const header = decodeSegmentHeader(last.bytes);
  if (!header.ok && header.problem === 'version') throw wrongVersion(last, header.version);
  if (!header.ok) throw headerDamaged(last, proven);
  const { logId } = header.cursor;
  if (proven !== null && !Buffer.from(proven.logId).equals(logId)) throw notOfThisLog(last);
  const { cursor, validBytes } = scanBatches(asPart(last), header.cursor);
  if (proven !== null && proven.segment > last.number) {
    const found = { segment: last, cursor, validBytes, hasSummary: summaries.has(last.number) };
    throw endMissing(dirname(last.path), proven, found);
  }
  return cursor.logStart;
}

class Recovery {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #replay: Replay;
  readonly #heads = new Map<number, SegmentHead>();
  readonly found: { sealed: SealedSegment[]; records: number; summaries: number } = {
    sealed: [],
    records: 0,
    summaries: 0,
  };

  constructor(disk: Disk, dir: string, replay: Replay) {
    this.#disk = disk;
    this.#dir = dir;
    this.#replay = replay;
  }

  /** The cursor before the first segment; from the log start where older segments were dropped. */
  async start(logStart: LogStart): Promise<LogCursor> {
    const blank = blankCursor();
    const { header } = await this.#head(logStart.segment);
    if (!header.ok) return blank;
    const { logId, nextSequence } = header.cursor;
    if (logStart.segment === 1) return { ...blank, logId };
    return {
      logId,
      segment: logStart.segment - 1,
      nextOffset: logStart.offset,
      nextSequence,
      chain: header.previousChain,
      logStart: header.cursor.logStart,
    };
  }

  /** Replays a sealed segment, from its summary if that is valid; returns the cursor after it. */
  async sealed(number: number, before: LogCursor, hasSummary: boolean): Promise<LogCursor> {
    const summary = hasSummary ? await this.#goodSummary(number, before) : null;
    if (summary === null) {
      const segment = await readSegment(this.#disk, this.#dir, number);
      return this.#readSealed(segment, before);
    }
    for (const { bytes, offset } of summary.records) this.#replay.record(bytes, offset);
    this.found.summaries += 1;
    const { logId } = before;
    const after = { logId, segment: number, ...summary.after };
    const { index, segmentBytes: bytes } = summary;
    this.#foundSealed({ number, bytes, index, before, after, summaryFile: true });
    return after;
  }

  /** @param proven the proven end of the log, if there is one */
  last(segment: Segment, before: LogCursor, proven: ProvenEnd | null): RecoveredTail {
    const { bytes, number } = segment;
    const start = readHeader(segment, before);
    if (start === null) throw headerDamaged(segment);
    const firstOffset = start.nextOffset;
    const index = new BatchIndex(firstOffset);
    const scan = scanBatches(asPart(segment), start, this.#replayInto(index));
    const { cursor, damage, validBytes, lastKind } = scan;
    const tail = bytes.subarray(0, validBytes);
    const good = { cursor, before, firstOffset, index, tail, lastKind };
    if (proven?.segment === number && validBytes < proven.bytes) {
      if (bytes.length >= proven.bytes) throw durableDamaged(segment, scan);
      throw endMissing(this.#dir, proven, { segment, cursor, validBytes, hasSummary: false });
    }
    if (damage === null) return { ...good, torn: null };
    const damageKind = classifyDamage(bytes, damage, cursor);
    if (damageKind === 'durable') throw durableDamaged(segment, scan);
    if (damageKind === 'ambiguous') throw ambiguouslyDamaged(segment, scan);
    return { ...good, torn: { atByte: validBytes, bytes: bytes.subarray(validBytes) } };
  }

  /** The next segment exists, which proves all of this one durable: any damage is corruption. */
  #readSealed(segment: Segment, before: LogCursor): LogCursor {
    const start = readHeader(segment, before);
    if (start === null) throw headerDamaged(segment);
    const index = new BatchIndex(start.nextOffset);
    const scan = scanBatches(asPart(segment), start, this.#replayInto(index));
    if (scan.damage !== null) throw durableDamaged(segment, scan);
    const { number, bytes } = segment;
    const after = scan.cursor;
    this.#foundSealed({ number, bytes: bytes.length, index, before, after, summaryFile: false });
    return after;
  }

  #foundSealed(segment: Omit<SealedSegment, 'firstOffset' | 'lastOffset'>): void {
    const { before, after } = segment;
    const [firstOffset, lastOffset] = [before.nextOffset, after.nextOffset - 1];
    this.found.sealed.push({ ...segment, firstOffset, lastOffset });
  }

  #replayInto(index: BatchIndex): (batch: SegmentBatch) => void {
    return ({ atByte, header, records }) => {
      const { kind, firstOffset, headerCrc } = header;
      if (kind === 'records') index.add(firstOffset, atByte, headerCrc);
      this.found.records += records.length;
      for (const [at, bytes] of records.entries()) this.#replay.record(bytes, firstOffset + at);
    };
  }

  /** Cached: each head is needed for its own segment and for the one before. */
  async #head(number: number): Promise<SegmentHead> {
    const head = this.#heads.get(number) ?? (await readHead(this.#disk, this.#dir, number));
    this.#heads.set(number, head);
    return head;
  }

  /** The summary, if it fits its segment and both neighbours; else null. */
  async #goodSummary(number: number, before: LogCursor): Promise<Summary | null> {
    const summary = await readSummary(this.#disk, this.#dir, number);
    if (summary === null) return null;
    const own = await this.#head(number);
    const next = await this.#head(number + 1);
    return summaryFits(summary, before, { own, next }) ? summary : null;
  }
}

function blankCursor(): LogCursor {
  const logId = randomBytes(logIdBytes);
  return { logId, segment: 0, nextOffset: 1, nextSequence: 1, chain: 0, logStart: noLogStart };
}

/** The first segment of a new log. */
function newTail(before: LogCursor, number: number): RecoveredTail {
  const { header, cursor } = encodeSegmentHeader(before, number);
  const firstOffset = cursor.nextOffset;
  const index = new BatchIndex(firstOffset);
  return { cursor, before, firstOffset, index, tail: header, lastKind: null, torn: null };
}

/** Segments before the log start, invalid summaries, and temporary files. */
function leftoversOf(files: LogFiles, first: number, sealed: readonly SealedSegment[]): string[] {
  const summarized = new Set(sealed.filter((s) => s.summaryFile).map(({ number }) => number));
  return [
    ...files.segments.filter((number) => number < first).map(segmentName),
    ...[...files.summaries].filter((number) => !summarized.has(number)).map(summaryName),
    ...files.temporary,
  ];
}
