/**
 * Walks through a segment to its end, whatever its state: every batch that is good, and every
 * stretch of bytes between them that is not. Where the log's own reader stops and refuses, this one
 * goes on behind the damage. It judges nothing; `survey.ts` does.
 */

import {
  type BatchHeader,
  type BatchKind,
  batchFrameBytes,
  batchHeaderBytes,
  decodeBatchHeader,
  decodeLogStart,
  findBatchMagic,
  recordLengthBytes,
  segmentHeaderBytes,
} from '../log/format.ts';
import { payloadIsGood } from '../log/scan.ts';

/** A batch that passed every check it can pass by itself. */
export interface GoodBatch {
  readonly type: 'batch';
  readonly at: number;
  readonly header: BatchHeader & { readonly kind: BatchKind };
  /** A view of the segment. */
  readonly payload: Uint8Array;
  readonly records: readonly Uint8Array[];
}

/**
 * - `damaged`: a checksum does not hold, or bytes are missing.
 * - `misfit`: the checksums hold, and what they cover contradicts itself.
 * - `unknownKind`: a good header of a kind that this version does not know.
 */
export type HoleReason = 'damaged' | 'misfit' | 'unknownKind';

/** Bytes from which no record can be read. */
export interface Hole {
  readonly type: 'hole';
  readonly at: number;
  readonly bytes: number;
  readonly reason: HoleReason;
  /** The header of the batch that lies there, when that much is legible. */
  readonly header: BatchHeader | null;
}

export type Piece = GoodBatch | Hole;

/**
 * All pieces behind the segment's header, in order and without a gap between them. Behind damage
 * only a batch with a sequence above `afterSequence` and all before it counts: a record may hold a
 * copy of this very log.
 */
export function walkSegment(
  segment: Uint8Array,
  logId: Uint8Array,
  afterSequence: number,
): Piece[] {
  const pieces: Piece[] = [];
  let sequence = afterSequence;
  let at = Math.min(segmentHeaderBytes, segment.length);
  while (at < segment.length) {
    const header = decodeBatchHeader(segment, at, logId);
    const piece = header === null ? null : pieceOf(segment, at, header);
    if (header !== null) sequence = Math.max(sequence, header.sequence);
    if (piece?.type === 'batch') {
      pieces.push(piece);
      at += batchFrameBytes + piece.payload.length;
      continue;
    }
    const end = nextBatchAt(segment, at, { header, logId, sequence });
    const reason = piece?.reason ?? 'damaged';
    pieces.push({ type: 'hole', at, bytes: end - at, reason, header });
    at = end;
  }
  return pieces;
}

function pieceOf(
  segment: Uint8Array,
  at: number,
  header: BatchHeader,
): GoodBatch | { readonly type: 'bad'; readonly reason: HoleReason } {
  if (!payloadIsGood(segment, at, header)) return { type: 'bad', reason: 'damaged' };
  const { kind } = header;
  if (kind === null) return { type: 'bad', reason: 'unknownKind' };
  const payloadAt = at + batchHeaderBytes;
  const payload = segment.subarray(payloadAt, payloadAt + header.payloadBytes);
  const records = recordsIn(payload, { ...header, kind });
  if (records === null) return { type: 'bad', reason: 'misfit' };
  return { type: 'batch', at, header: { ...header, kind }, payload, records };
}

/** The records of a batch; null when its payload is not what its kind asks for. */
function recordsIn(payload: Uint8Array, header: GoodBatch['header']): Uint8Array[] | null {
  if (header.kind === 'records') return splitRecords(payload, header.recordCount);
  const fits =
    header.kind === 'logStart' ? decodeLogStart(payload, header) !== null : payload.length === 0;
  return fits && header.recordCount === 0 ? [] : null;
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

/** Where to go on behind a batch that is not good: at its end by its own word, or at the next magic. */
function nextBatchAt(
  segment: Uint8Array,
  at: number,
  bad: {
    readonly header: BatchHeader | null;
    readonly logId: Uint8Array;
    readonly sequence: number;
  },
): number {
  const { header, logId, sequence } = bad;
  const end = at + batchFrameBytes + (header?.payloadBytes ?? 0);
  if (header !== null && decodeBatchHeader(segment, end, logId) !== null) return end;
  let next = findBatchMagic(segment, at + 1);
  while (next !== -1) {
    const found = decodeBatchHeader(segment, next, logId);
    if (found !== null && found.sequence > sequence) return next;
    next = findBatchMagic(segment, next + 1);
  }
  return segment.length;
}
