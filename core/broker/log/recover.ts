/**
 * Reads the whole log at start, one segment in memory at a time: replays what is good, and either
 * says how to go on or refuses. It changes nothing on disk; `open.ts` does, after all was judged.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { LogDamagedError } from './contract.ts';
import type { Disk } from './disk.ts';
import {
  type BatchKind,
  decodeSegmentHeader,
  encodeSegmentHeader,
  type LogCursor,
  logIdBytes,
  logVersion,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from './format.ts';
import { type Replay, restoreAdvice, type Segment, type SegmentScan, scanSegment } from './scan.ts';
import { judgeDamage } from './verdict.ts';

export interface RecoveredLog {
  readonly cursor: LogCursor;
  /** Segment files found. */
  readonly segments: number;
  /** Bytes of all segments but the last. */
  readonly sealedBytes: number;
  /** Good bytes of the last segment; its bare header when there was none or it held nothing. */
  readonly tail: Uint8Array;
  /** Kind of the last good batch; null when the last segment has none. */
  readonly lastKind: BatchKind | null;
  /** What must be cut from the last segment: a write that never became durable. */
  readonly torn: { readonly atByte: number; readonly bytes: Uint8Array } | null;
}

type Tail = Pick<RecoveredLog, 'cursor' | 'tail' | 'lastKind' | 'torn'>;

/**
 * @throws LogDamagedError when accepted jobs may be lost, or a newer version wrote the log
 * @throws Error naming the file that the disk could not read
 */
export async function recover(disk: Disk, dir: string, replay: Replay): Promise<RecoveredLog> {
  const segments = await listSegments(disk, dir);
  let cursor = blankCursor();
  let sealedBytes = 0;
  for (let number = 1; number < segments; number++) {
    const segment = await readSegment(disk, dir, number);
    cursor = readSealed(segment, cursor, replay);
    sealedBytes += segment.bytes.length;
  }
  const tail =
    segments === 0
      ? newTail(cursor, 1)
      : readLast(await readSegment(disk, dir, segments), cursor, replay);
  return { ...tail, segments, sealedBytes };
}

/** Segments are numbered from 1 without a gap; returns how many there are. */
async function listSegments(disk: Disk, dir: string): Promise<number> {
  const found = new Set((await disk.list(dir)).map(segmentNumber).filter((n) => n !== null));
  for (let number = 1; number <= found.size; number++) {
    if (found.has(number)) continue;
    const path = join(dir, segmentName(number));
    throw new LogDamagedError(
      path,
      0,
      `${path} is missing, while later segments are there. Its jobs are at stake. ${restoreAdvice}`,
    );
  }
  return found.size;
}

async function readSegment(disk: Disk, dir: string, number: number): Promise<Segment> {
  const path = join(dir, segmentName(number));
  try {
    return { path, number, bytes: await disk.readFile(path) };
  } catch (cause) {
    throw new Error(
      `${path}: the disk could not read this segment of the log (${String(cause)}). Nothing was ` +
        'changed. Check the disk, or restore the log folder from a backup.',
      { cause },
    );
  }
}

/** The next segment exists only if all of this one was durable: any damage is corruption. */
function readSealed(segment: Segment, before: LogCursor, replay: Replay): LogCursor {
  const start = readHeader(segment, before);
  if (start === null) throw headerDamaged(segment);
  const scan = scanSegment(segment, start, replay);
  if (scan.damage !== null) throw durableDamaged(segment, scan);
  return scan.cursor;
}

function readLast(segment: Segment, before: LogCursor, replay: Replay): Tail {
  const { bytes } = segment;
  const start = readHeader(segment, before);
  if (start === null) {
    // A header is durable before the first batch is written, so beyond it there must be nothing.
    if (bytes.length > segmentHeaderBytes) throw headerDamaged(segment);
    return { ...newTail(before, segment.number), torn: { atByte: 0, bytes } };
  }
  const scan = scanSegment(segment, start, replay);
  const { cursor, damage, validBytes, lastKind } = scan;
  const tail = bytes.subarray(0, validBytes);
  if (damage === null) return { cursor, tail, lastKind, torn: null };
  const verdict = judgeDamage(bytes, damage, cursor);
  if (verdict === 'durable') throw durableDamaged(segment, scan);
  if (verdict === 'ambiguous') throw ambiguouslyDamaged(segment, scan);
  const torn = { atByte: validBytes, bytes: bytes.subarray(validBytes) };
  return { cursor, tail, lastKind, torn };
}

/** The cursor after the segment's header; null when the header is damaged. */
function readHeader(segment: Segment, before: LogCursor): LogCursor | null {
  const header = decodeSegmentHeader(segment.bytes);
  if (!header.ok) {
    if (header.problem === 'damaged') return null;
    throw new LogDamagedError(
      segment.path,
      4,
      `${segment.path} has log format ${header.version}; this version of aiq reads format ` +
        `${logVersion}. Nothing was changed. Start the version of aiq that wrote it, or a newer one.`,
    );
  }
  const { cursor, previousChain } = header;
  const { number } = segment;
  const sameLog = number === 1 || Buffer.from(cursor.logId).equals(before.logId);
  const follows =
    cursor.segment === number &&
    cursor.nextOffset === before.nextOffset &&
    cursor.nextSequence === before.nextSequence &&
    previousChain === before.chain;
  if (sameLog && follows) return cursor;
  const problem = sameLog
    ? `is not the continuation of the segment before it (it says: segment ${cursor.segment}, ` +
      `records from ${cursor.nextOffset}; expected: segment ${number}, from ${before.nextOffset})`
    : 'belongs to another log';
  throw new LogDamagedError(
    segment.path,
    0,
    `${segment.path} ${problem}. Files were mixed up or are missing. ${restoreAdvice}`,
  );
}

function blankCursor(): LogCursor {
  return { logId: randomBytes(logIdBytes), segment: 0, nextOffset: 1, nextSequence: 1, chain: 0 };
}

/** A segment that is to be made anew. */
function newTail(before: LogCursor, number: number): Tail {
  const { header, cursor } = encodeSegmentHeader(before, number);
  return { cursor, tail: header, lastKind: null, torn: null };
}

function headerDamaged(segment: Segment): LogDamagedError {
  return new LogDamagedError(
    segment.path,
    0,
    `${segment.path}: the header of this segment is damaged, and jobs may follow it. ` +
      restoreAdvice,
  );
}

function durableDamaged(segment: Segment, { cursor, validBytes }: SegmentScan): LogDamagedError {
  return new LogDamagedError(
    segment.path,
    validBytes,
    `${segment.path}: damaged at byte ${validBytes}, in records that were safely on disk. Record ` +
      `${cursor.nextOffset} and all later ones are at stake, accepted jobs among them. ` +
      restoreAdvice,
  );
}

function ambiguouslyDamaged(
  segment: Segment,
  { cursor, validBytes }: SegmentScan,
): LogDamagedError {
  return new LogDamagedError(
    segment.path,
    validBytes,
    `${segment.path}: damaged at byte ${validBytes}, in what was written last. It does not look ` +
      'like a write that a crash cut short, so accepted jobs may be in it: record ' +
      `${cursor.nextOffset} and what follows are at stake, everything before is intact. Nothing ` +
      'was changed. Restore the log folder from a backup; or accept that loss: keep a copy of ' +
      `the file, then run  truncate -s ${validBytes} '${segment.path}'  and start again.`,
  );
}
