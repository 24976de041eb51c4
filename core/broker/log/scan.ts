/**
 * Reads a segment, or a part of it, batch by batch, and stops at the first that fails a check.
 * What such damage means is decided in `verdict.ts`; only contradictions that no torn write can
 * explain are refused here.
 */

import { crc32 } from 'node:zlib';
import { LogDamagedError } from './contract.ts';
import {
  advance,
  type BatchHeader,
  type BatchKind,
  batchFrameBytes,
  batchHeaderBytes,
  batchTrailer,
  decodeBatchHeader,
  decodeLogStart,
  type LogCursor,
  type LogStart,
  recordLengthBytes,
  segmentHeaderBytes,
} from './format.ts';

/** What is told of the good batches, in order. */
export interface SegmentVisitor {
  /** The bytes are a view of the segment: copy what must outlive the call. */
  readonly record?: (record: Uint8Array, offset: number) => void;
  /** Called before the batch's records. */
  readonly batch?: (header: BatchHeader, atByte: number) => void;
}

/** The first batch that fails a check. Its header is null when not even that can be trusted. */
export interface Damage {
  readonly atByte: number;
  readonly header: BatchHeader | null;
}

export interface SegmentScan {
  /** Where the log goes on after the last good batch. */
  readonly cursor: LogCursor;
  /** Bytes of the segment up to there. */
  readonly validBytes: number;
  readonly lastKind: BatchKind | null;
  readonly damage: Damage | null;
}

export interface Segment {
  readonly path: string;
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Whole batches of a segment; `atByte` is where `bytes` begin in the file. */
export interface SegmentPart extends Segment {
  readonly atByte: number;
}

/**
 * Visits the good batches of a segment; `start` is the cursor after its header.
 * @throws LogDamagedError when a good batch does not belong here or holds what cannot be read
 */
export function scanSegment(
  segment: Segment,
  start: LogCursor,
  visitor: SegmentVisitor,
): SegmentScan {
  const bytes = segment.bytes.subarray(segmentHeaderBytes);
  return scanPart({ ...segment, bytes, atByte: segmentHeaderBytes }, start, visitor);
}

/** The same for a part; bytes told are those of the file. `start` is the cursor before the part. */
export function scanPart(
  part: SegmentPart,
  start: LogCursor,
  visitor: SegmentVisitor,
): SegmentScan {
  const { bytes } = part;
  let cursor = start;
  let at = 0;
  let lastKind: BatchKind | null = null;
  while (at < bytes.length) {
    const header = decodeBatchHeader(bytes, at, cursor.logId);
    const validBytes = part.atByte + at;
    if (header === null || !payloadIsGood(bytes, at, header)) {
      return { cursor, validBytes, lastKind, damage: { atByte: validBytes, header } };
    }
    checkPlace(part, at, header, cursor);
    lastKind = checkKind(part, at, header);
    visitor.batch?.(header, validBytes);
    visitRecords(part, at, header, visitor);
    cursor = advance(cursor, header, logStartIn(part, at, header));
    at += batchFrameBytes + header.payloadBytes;
  }
  return { cursor, validBytes: part.atByte + at, lastKind, damage: null };
}

/** Whether the batch's payload and trailer, behind its header at `at`, are as the header says. */
export function payloadIsGood(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
  const payloadAt = at + batchHeaderBytes;
  const trailerAt = payloadAt + header.payloadBytes;
  if (trailerAt + batchTrailer.length > bytes.length) return false;
  return (
    batchTrailer.every((byte, index) => bytes[trailerAt + index] === byte) &&
    crc32(bytes.subarray(payloadAt, trailerAt)) === header.payloadCrc
  );
}

function checkPlace(part: SegmentPart, at: number, header: BatchHeader, cursor: LogCursor): void {
  if (
    header.sequence === cursor.nextSequence &&
    header.firstOffset === cursor.nextOffset &&
    header.chain === cursor.chain
  ) {
    return;
  }
  throw damagedAt(
    part,
    at,
    (atByte) =>
      `at byte ${atByte} the log has a gap: batch ${header.sequence} with records ` +
      `from ${header.firstOffset} stands where batch ${cursor.nextSequence} with records from ` +
      `${cursor.nextOffset} belongs. Accepted jobs may be missing. ${restoreAdvice}`,
  );
}

function checkKind(part: SegmentPart, at: number, header: BatchHeader): BatchKind {
  if (header.kind !== null) return header.kind;
  throw damagedAt(
    part,
    at,
    (atByte) =>
      `the batch at byte ${atByte} is of a kind that this version does not know. ` +
      'A newer version of aiq wrote it. Nothing was changed. Start that version, or a newer one.',
  );
}

function visitRecords(
  part: SegmentPart,
  at: number,
  header: BatchHeader,
  { record }: SegmentVisitor,
): void {
  if (header.kind !== 'records') return;
  const { bytes } = part;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = at + batchHeaderBytes + header.payloadBytes;
  let recordAt = at + batchHeaderBytes;
  for (let index = 0; index < header.recordCount; index++) {
    const from = recordAt + recordLengthBytes;
    const to = from <= end ? from + view.getUint32(recordAt) : Number.POSITIVE_INFINITY;
    if (to > end) throw misfit(part, recordAt);
    record?.(bytes.subarray(from, to), header.firstOffset + index);
    recordAt = to;
  }
  if (recordAt !== end) throw misfit(part, recordAt);
}

/** The log start that a batch states; undefined for all other batches. */
function logStartIn(part: SegmentPart, at: number, header: BatchHeader): LogStart | undefined {
  const payloadAt = at + batchHeaderBytes;
  const payload = part.bytes.subarray(payloadAt, payloadAt + header.payloadBytes);
  if (header.kind !== 'logStart') {
    if (header.kind !== 'records' && payload.length + header.recordCount > 0) {
      throw misfit(part, payloadAt);
    }
    return undefined;
  }
  const logStart = header.recordCount === 0 ? decodeLogStart(payload, header) : null;
  if (logStart === null) throw misfit(part, payloadAt);
  return logStart;
}

/** The checksums hold but the content contradicts itself: it was written wrong. */
function misfit(part: SegmentPart, at: number): LogDamagedError {
  return damagedAt(
    part,
    at,
    (atByte) =>
      `the records of a batch do not fill it, at byte ${atByte}, though its checksums hold. ` +
      `Accepted jobs may be missing. ${restoreAdvice}`,
  );
}

function damagedAt(
  { path, atByte }: SegmentPart,
  at: number,
  message: (atByte: number) => string,
): LogDamagedError {
  return new LogDamagedError(path, atByte + at, `${path}: ${message(atByte + at)}`);
}

export const restoreAdvice =
  'Nothing was changed. See what is damaged with  aiq broker verify ; then restore a backup with ' +
  ' aiq broker restore , or save what is legible with  aiq broker salvage .';
