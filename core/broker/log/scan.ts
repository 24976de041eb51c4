/**
 * Reads one segment held in memory, batch by batch, and stops at the first that fails a check.
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
  type LogCursor,
  recordLengthBytes,
  segmentHeaderBytes,
} from './format.ts';

/** Gets each record in order. The bytes are a view of the segment: copy what must outlive the call. */
export type Replay = (record: Uint8Array, offset: number) => void;

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

/**
 * Replays the good batches of a segment; `start` is the cursor after its header.
 * @throws LogDamagedError when a good batch does not belong here or holds what cannot be read
 */
export function scanSegment(segment: Segment, start: LogCursor, replay: Replay): SegmentScan {
  let cursor = start;
  let at = segmentHeaderBytes;
  let lastKind: BatchKind | null = null;
  while (at < segment.bytes.length) {
    const header = decodeBatchHeader(segment.bytes, at, cursor.logId);
    if (header === null || !payloadIsGood(segment.bytes, at, header)) {
      return { cursor, validBytes: at, lastKind, damage: { atByte: at, header } };
    }
    checkPlace(segment, at, header, cursor);
    lastKind = checkKind(segment, at, header);
    replayRecords(segment, at, header, replay);
    cursor = advance(cursor, header);
    at += batchFrameBytes + header.payloadBytes;
  }
  return { cursor, validBytes: at, lastKind, damage: null };
}

function payloadIsGood(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
  const payloadAt = at + batchHeaderBytes;
  const trailerAt = payloadAt + header.payloadBytes;
  if (trailerAt + batchTrailer.length > bytes.length) return false;
  return (
    batchTrailer.every((byte, index) => bytes[trailerAt + index] === byte) &&
    crc32(bytes.subarray(payloadAt, trailerAt)) === header.payloadCrc
  );
}

function checkPlace(segment: Segment, at: number, header: BatchHeader, cursor: LogCursor): void {
  if (
    header.sequence === cursor.nextSequence &&
    header.firstOffset === cursor.nextOffset &&
    header.chain === cursor.chain
  ) {
    return;
  }
  throw new LogDamagedError(
    segment.path,
    at,
    `${segment.path}: at byte ${at} the log has a gap: batch ${header.sequence} with records ` +
      `from ${header.firstOffset} stands where batch ${cursor.nextSequence} with records from ` +
      `${cursor.nextOffset} belongs. Accepted jobs may be missing. ${restoreAdvice}`,
  );
}

function checkKind(segment: Segment, at: number, header: BatchHeader): BatchKind {
  if (header.kind !== null) return header.kind;
  throw new LogDamagedError(
    segment.path,
    at,
    `${segment.path}: the batch at byte ${at} is of a kind that this version does not know. ` +
      'A newer version of aiq wrote it. Nothing was changed. Start that version, or a newer one.',
  );
}

function replayRecords(segment: Segment, at: number, header: BatchHeader, replay: Replay): void {
  const { bytes } = segment;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = at + batchHeaderBytes + header.payloadBytes;
  let recordAt = at + batchHeaderBytes;
  for (let index = 0; index < header.recordCount; index++) {
    const from = recordAt + recordLengthBytes;
    const to = from <= end ? from + view.getUint32(recordAt) : Number.POSITIVE_INFINITY;
    if (to > end) throw misfit(segment, recordAt);
    replay(bytes.subarray(from, to), header.firstOffset + index);
    recordAt = to;
  }
  if (recordAt !== end) throw misfit(segment, recordAt);
}

/** The checksums hold but the content contradicts itself: it was written wrong. */
function misfit(segment: Segment, at: number): LogDamagedError {
  return new LogDamagedError(
    segment.path,
    at,
    `${segment.path}: the records of a batch do not fill it, at byte ${at}, though its checksums ` +
      `hold. Accepted jobs may be missing. ${restoreAdvice}`,
  );
}

export const restoreAdvice =
  'Nothing was changed. Restore the log folder from a backup; or keep it for examination and ' +
  'start with another folder, which knows none of these jobs.';
