/**
 * Classifies damage in the last segment: a torn write leaves bytes missing or never written (zeros),
 * and no later batch proves it durable. Anything else is corruption.
 */

import {
  batchFrameBytes,
  batchTrailer,
  decodeBatchHeader,
  findBatchMagic,
  type LogCursor,
  recordLengthBytes,
} from '../format/format.ts';
import type { Damage } from './scan.ts';

/**
 * - `torn`: never durable, so never acknowledged; may be cut off.
 * - `durable`: a later batch proves that fdatasync had returned for the damaged one.
 * - `ambiguous`: neither proven durable nor shaped like a torn write; probably corruption.
 */
export type DamageKind = 'torn' | 'durable' | 'ambiguous';

/** The unit in which a disk writes: all of it arrives or nothing. */
const sectorBytes = 512;

/** @param cursor the position of the damaged batch */
export function classifyDamage(bytes: Uint8Array, damage: Damage, cursor: LogCursor): DamageKind {
  const later = laterBatches(bytes, damage.atByte, cursor);
  if (later.provenSequence >= cursor.nextSequence) return 'durable';
  const { atByte, header } = damage;
  const noLaterBatch = later.firstAt === bytes.length;
  const length = header === null ? null : batchFrameBytes + header.payloadBytes;
  const missing = length === null ? batchFrameBytes + recordLengthBytes : length;
  if (noLaterBatch && bytes.length - atByte < missing) return 'torn';
  const end = length === null ? later.firstAt : Math.min(bytes.length, atByte + length);
  return wasNeverWritten(bytes, atByte, end) ? 'torn' : 'ambiguous';
}

/** Batches after the damage: where the first begins, and up to which batch they prove the log durable. */
function laterBatches(
  bytes: Uint8Array,
  damagedAt: number,
  cursor: LogCursor,
): { firstAt: number; provenSequence: number } {
  let firstAt = bytes.length;
  let provenSequence = 0;
  for (let at = findBatchMagic(bytes, damagedAt); at !== -1; at = findBatchMagic(bytes, at + 1)) {
    const header = decodeBatchHeader(bytes, at, cursor.logId);
    // Older batches are copies inside a record: a job may contain a part of this very log.
    if (header === null || header.sequence <= cursor.nextSequence) continue;
    firstAt = Math.min(firstAt, at);
    provenSequence = Math.max(provenSequence, header.durableSequence);
  }
  return { firstAt, provenSequence };
}

/** True when a whole sector between `start` and `end` is zero, or the end where a trailer belongs. */
function wasNeverWritten(bytes: Uint8Array, start: number, end: number): boolean {
  if (isZero(bytes, Math.max(start, end - batchTrailer.length), end)) return true;
  for (let from = start; from < end; ) {
    const to = Math.min(end, from - (from % sectorBytes) + sectorBytes);
    if (isZero(bytes, from, to)) return true;
    from = to;
  }
  return false;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== 0) return false;
  }
  return true;
}
