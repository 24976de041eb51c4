/**
 * Reads the batches of a segment: the one reader for recovery, summaries and maintenance. It yields
 * every valid batch and every hole between them; recovery stops at the first hole, maintenance
 * reports it and continues.
 */

import { crc32 } from 'node:zlib';
import {
  type BatchHeader,
  type BatchKind,
  batchFrameBytes,
  batchHeaderBytes,
  batchTrailer,
  decodeBatchHeader,
  decodeLogStart,
  findBatchMagic,
  type LogStart,
  recordLengthBytes,
  segmentHeaderBytes,
} from './format.ts';

/** A segment file in memory. */
export interface Segment {
  readonly path: string;
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Whole batches of a segment; `atByte` is the position of `bytes` in the file. */
export interface SegmentPart extends Segment {
  readonly atByte: number;
}

/** A batch that passed every check that needs no other batch. */
export interface SegmentBatch {
  readonly type: 'batch';
  readonly atByte: number;
  readonly header: BatchHeader & { readonly kind: BatchKind };
  /** Views of the segment, as are the records: copy what must outlive it. */
  readonly payload: Uint8Array;
  readonly records: readonly Uint8Array[];
  /** The log start in it; null for a batch of another kind. */
  readonly logStart: LogStart | null;
}

/**
 * - `damaged`: a checksum does not match, or bytes are missing.
 * - `misfit`: the checksums match, and their content contradicts itself: it was written wrong.
 * - `unknownKind`: a valid header of a kind that this version does not know.
 */
export type HoleReason = 'damaged' | 'misfit' | 'unknownKind';

/** Bytes from which no record can be read. */
export interface Hole {
  readonly type: 'hole';
  readonly atByte: number;
  readonly bytes: number;
  readonly reason: HoleReason;
  /** The header of the batch at its beginning; null when that is damaged as well. */
  readonly header: BatchHeader | null;
}

/** All batches of a segment, as a part. */
export function asPart(segment: Segment): SegmentPart {
  const bytes = segment.bytes.subarray(segmentHeaderBytes);
  return { ...segment, bytes, atByte: Math.min(segmentHeaderBytes, segment.bytes.length) };
}

/**
 * Yields batches and holes in order and without gaps.
 * @param afterSequence after damage only a batch with a sequence above this, and above all before it,
 *   counts: a record may hold a copy of this very log
 */
export function* readBatches(
  { bytes, atByte }: Pick<SegmentPart, 'bytes' | 'atByte'>,
  logId: Uint8Array,
  afterSequence: number,
): Generator<SegmentBatch | Hole> {
  let sequence = afterSequence;
  for (let at = 0; at < bytes.length; ) {
    const header = decodeBatchHeader(bytes, at, logId);
    const content = header === null ? 'damaged' : contentOf(bytes, at, header);
    if (header !== null) sequence = Math.max(sequence, header.sequence);
    if (typeof content === 'object') {
      yield { ...content, type: 'batch', atByte: atByte + at };
      at += batchFrameBytes + content.payload.length;
      continue;
    }
    const end = nextBatchAt(bytes, at, { header, logId, sequence });
    yield { type: 'hole', atByte: atByte + at, bytes: end - at, reason: content, header };
    at = end;
  }
}

function contentOf(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
): Omit<SegmentBatch, 'type' | 'atByte'> | HoleReason {
  const payload = payloadOf(bytes, at, header);
  if (payload === null) return 'damaged';
  const { kind, recordCount } = header;
  if (kind === null) return 'unknownKind';
  const found = { header: { ...header, kind }, payload, records: [], logStart: null };
  if (kind === 'records') {
    const records = splitRecords(payload, recordCount);
    return records === null ? 'misfit' : { ...found, records };
  }
  if (recordCount > 0) return 'misfit';
  if (kind !== 'logStart') return payload.length === 0 ? found : 'misfit';
  const logStart = decodeLogStart(payload, header);
  return logStart === null ? 'misfit' : { ...found, logStart };
}

/** The payload of the batch at `at`, a view; null when it or its trailer does not match the header. */
export function payloadOf(bytes: Uint8Array, at: number, header: BatchHeader): Uint8Array | null {
  const payloadAt = at + batchHeaderBytes;
  const trailerAt = payloadAt + header.payloadBytes;
  if (trailerAt + batchTrailer.length > bytes.length) return null;
  const payload = bytes.subarray(payloadAt, trailerAt);
  const isIntact =
    batchTrailer.every((byte, index) => bytes[trailerAt + index] === byte) &&
    crc32(payload) === header.payloadCrc;
  return isIntact ? payload : null;
}

/** The records of a payload, as views; null when they do not fill it exactly. */
function splitRecords(payload: Uint8Array, count: number): Uint8Array[] | null {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const records: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const from = at + recordLengthBytes;
    if (from > payload.length) return null;
    at = from + view.getUint32(at);
    if (at > payload.length) return null;
    records.push(payload.subarray(from, at));
  }
  return at === payload.length ? records : null;
}

/** Where to continue after a hole: at the end that its header gives, or at the next valid header. */
function nextBatchAt(
  bytes: Uint8Array,
  at: number,
  hole: {
    readonly header: BatchHeader | null;
    readonly logId: Uint8Array;
    readonly sequence: number;
  },
): number {
  const { header, logId, sequence } = hole;
  const end = at + batchFrameBytes + (header?.payloadBytes ?? 0);
  if (header !== null && decodeBatchHeader(bytes, end, logId) !== null) return end;
  let next = findBatchMagic(bytes, at + 1);
  while (next !== -1) {
    const found = decodeBatchHeader(bytes, next, logId);
    if (found !== null && found.sequence > sequence) return next;
    next = findBatchMagic(bytes, next + 1);
  }
  return bytes.length;
}
