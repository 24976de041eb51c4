/**
 * Follows the batches of a segment as recovery must: stops at the first damaged batch, whose meaning
 * `classify-damage.ts` decides, and refuses contradictions that no torn write can explain.
 */

import { advance, type BatchHeader, type BatchKind, type LogCursor } from '../format/format.ts';
import { readBatches, type SegmentBatch, type SegmentPart } from '../format/segment-reader.ts';
import { logGap, misfit, unknownKind } from './refusals.ts';

/** The first damaged batch. Its header is null when that is damaged as well. */
export interface Damage {
  readonly atByte: number;
  readonly header: BatchHeader | null;
}

export interface SegmentScan {
  /** The cursor after the last valid batch. */
  readonly cursor: LogCursor;
  /** Bytes of the segment up to there. */
  readonly validBytes: number;
  readonly lastKind: BatchKind | null;
  readonly damage: Damage | null;
}

/**
 * @param start the cursor before the first batch of the part
 * @param visit called for each valid batch, in order
 * @throws LogDamagedError when an intact batch does not follow, or its content contradicts itself
 */
export function scanBatches(
  part: SegmentPart,
  start: LogCursor,
  visit: (batch: SegmentBatch) => void = () => undefined,
): SegmentScan {
  let cursor = start;
  let lastKind: BatchKind | null = null;
  for (const found of readBatches(part, cursor.logId, cursor.nextSequence - 1)) {
    const { atByte, header } = found;
    const isHole = found.type === 'hole';
    if (header === null || (isHole && found.reason === 'damaged')) {
      return { cursor, validBytes: atByte, lastKind, damage: { atByte, header } };
    }
    if (!isNext(header, cursor)) throw logGap(part, atByte, header, cursor);
    if (isHole) throw (found.reason === 'misfit' ? misfit : unknownKind)(part, atByte);
    visit(found);
    lastKind = found.header.kind;
    cursor = advance(cursor, header, found.logStart ?? cursor.logStart);
  }
  const validBytes = part.atByte + part.bytes.length;
  return { cursor, validBytes, lastKind, damage: null };
}

/** Whether the batch follows the cursor, by sequence, offset and chain. */
export function isNext(header: BatchHeader, cursor: LogCursor): boolean {
  return (
    header.sequence === cursor.nextSequence &&
    header.firstOffset === cursor.nextOffset &&
    header.chain === cursor.chain
  );
}
