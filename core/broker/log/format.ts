/**
 * The log's bytes: layouts of segment header, batch header and batch trailer, their codecs and the
 * names of segment files. `docs/log-format.md` has the tables and says how to change them; nothing
 * else in the broker knows where a field lies.
 */

import { crc32 } from 'node:zlib';

export const logVersion = 1;
export const segmentHeaderBytes = 64;
export const batchHeaderBytes = 64;
/** Four bytes that are not zero end each batch, so a lost last sector always shows. */
export const batchTrailer: Uint8Array = Buffer.from('AIQE', 'latin1');
/** What a batch adds to its payload; also the size of a mark. */
export const batchFrameBytes = batchHeaderBytes + batchTrailer.length;
export const recordLengthBytes = 4;
/** Far above a protocol frame, far below what would make one batch a burden. */
export const recordBytesMax = 16 * 1024 * 1024;
export const logIdBytes = 16;

const segmentMagic = Buffer.from('AIQL', 'latin1');
const batchMagic = Buffer.from('AIQB', 'latin1');
const headerCrcAt = 60;

/** Kind numbers on disk. 4 is kept for the footer of a sealed segment. */
const kindNumbers = { records: 1, mark: 2, cleanMark: 3 } as const;
export type BatchKind = keyof typeof kindNumbers;
const kindNames = new Map<number, BatchKind>([
  [kindNumbers.records, 'records'],
  [kindNumbers.mark, 'mark'],
  [kindNumbers.cleanMark, 'cleanMark'],
]);

/** Where the next batch goes: everything its header must agree with. */
export interface LogCursor {
  readonly logId: Uint8Array;
  readonly segment: number;
  readonly nextOffset: number;
  readonly nextSequence: number;
  /** CRC of the header before: of the previous batch, or of the segment for its first batch. */
  readonly chain: number;
}

export interface BatchHeader {
  /** Null when this version does not know the kind. */
  readonly kind: BatchKind | null;
  readonly payloadBytes: number;
  readonly recordCount: number;
  readonly sequence: number;
  readonly firstOffset: number;
  /** Last record, and last batch, known to have passed fdatasync when this header was built. */
  readonly durableUpTo: number;
  readonly durableSequence: number;
  readonly payloadCrc: number;
  readonly chain: number;
  readonly headerCrc: number;
}

export type SegmentHeader =
  | { readonly ok: true; readonly cursor: LogCursor; readonly previousChain: number }
  | { readonly ok: false; readonly problem: 'damaged' | 'version'; readonly version: number };

export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, '0')}.log`;
}

/** The number in a segment's file name; null for any other file. */
export function segmentNumber(name: string): number | null {
  return /^\d{10}\.log$/.test(name) ? Number.parseInt(name, 10) : null;
}

/** Starts segment `segment` where `before` ends; returns its header and the cursor after it. */
export function encodeSegmentHeader(
  before: LogCursor,
  segment: number,
): { header: Uint8Array; cursor: LogCursor } {
  const header = Buffer.alloc(segmentHeaderBytes);
  segmentMagic.copy(header, 0);
  header.writeUInt16BE(logVersion, 4);
  header.set(before.logId, 8);
  header.writeBigUInt64BE(BigInt(segment), 24);
  header.writeBigUInt64BE(BigInt(before.nextOffset), 32);
  header.writeBigUInt64BE(BigInt(before.nextSequence), 40);
  header.writeUInt32BE(before.chain, 48);
  const chain = crc32(header.subarray(0, headerCrcAt));
  header.writeUInt32BE(chain, headerCrcAt);
  return { header, cursor: { ...before, segment, chain } };
}

export function decodeSegmentHeader(segment: Uint8Array): SegmentHeader {
  const header = asBuffer(segment.subarray(0, segmentHeaderBytes));
  const version = header.length >= 6 ? header.readUInt16BE(4) : 0;
  if (header.length < segmentHeaderBytes || !startsWith(header, segmentMagic)) {
    return { ok: false, problem: 'damaged', version };
  }
  // Another version may keep its CRC elsewhere, so the version is looked at first.
  if (version !== logVersion) return { ok: false, problem: 'version', version };
  const chain = header.readUInt32BE(headerCrcAt);
  if (crc32(header.subarray(0, headerCrcAt)) !== chain) {
    return { ok: false, problem: 'damaged', version };
  }
  const cursor = {
    logId: Uint8Array.from(header.subarray(8, 8 + logIdBytes)),
    segment: Number(header.readBigUInt64BE(24)),
    nextOffset: Number(header.readBigUInt64BE(32)),
    nextSequence: Number(header.readBigUInt64BE(40)),
    chain,
  };
  return { ok: true, cursor, previousChain: header.readUInt32BE(48) };
}

/** Writes a batch header at the start of `into`; `fields.headerCrc` is computed and returned. */
export function encodeBatchHeader(
  into: Buffer,
  fields: Omit<BatchHeader, 'kind' | 'headerCrc'> & { readonly kind: BatchKind },
  logId: Uint8Array,
): number {
  into.fill(0, 0, batchHeaderBytes);
  batchMagic.copy(into, 0);
  into.writeUInt8(kindNumbers[fields.kind], 4);
  into.writeUInt32BE(fields.payloadBytes, 8);
  into.writeUInt32BE(fields.recordCount, 12);
  into.writeBigUInt64BE(BigInt(fields.sequence), 16);
  into.writeBigUInt64BE(BigInt(fields.firstOffset), 24);
  into.writeBigUInt64BE(BigInt(fields.durableUpTo), 32);
  into.writeBigUInt64BE(BigInt(fields.durableSequence), 40);
  into.writeUInt32BE(fields.payloadCrc, 48);
  into.writeUInt32BE(fields.chain, 52);
  const headerCrc = batchHeaderCrc(into.subarray(0, headerCrcAt), logId);
  into.writeUInt32BE(headerCrc, headerCrcAt);
  return headerCrc;
}

/** The header at `at`, or null when its magic or CRC is wrong or it is cut short. */
export function decodeBatchHeader(
  segment: Uint8Array,
  at: number,
  logId: Uint8Array,
): BatchHeader | null {
  const header = asBuffer(segment.subarray(at, at + batchHeaderBytes));
  if (header.length < batchHeaderBytes || !startsWith(header, batchMagic)) return null;
  const headerCrc = header.readUInt32BE(headerCrcAt);
  if (batchHeaderCrc(header.subarray(0, headerCrcAt), logId) !== headerCrc) return null;
  return {
    kind: kindNames.get(header.readUInt8(4)) ?? null,
    payloadBytes: header.readUInt32BE(8),
    recordCount: header.readUInt32BE(12),
    sequence: Number(header.readBigUInt64BE(16)),
    firstOffset: Number(header.readBigUInt64BE(24)),
    durableUpTo: Number(header.readBigUInt64BE(32)),
    durableSequence: Number(header.readBigUInt64BE(40)),
    payloadCrc: header.readUInt32BE(48),
    chain: header.readUInt32BE(52),
    headerCrc,
  };
}

/** Where the next batch magic begins at or after `from`; -1 when there is none. */
export function findBatchMagic(segment: Uint8Array, from: number): number {
  return asBuffer(segment).indexOf(batchMagic, from);
}

/** The cursor after a batch. */
export function advance(
  cursor: LogCursor,
  header: Pick<BatchHeader, 'recordCount' | 'headerCrc'>,
): LogCursor {
  return {
    ...cursor,
    nextOffset: cursor.nextOffset + header.recordCount,
    nextSequence: cursor.nextSequence + 1,
    chain: header.headerCrc,
  };
}

/** Seeded with the log id: bytes of another log, or a forged header in a job, never pass. */
function batchHeaderCrc(header: Uint8Array, logId: Uint8Array): number {
  return crc32(header, crc32(logId));
}

function startsWith(bytes: Buffer, magic: Buffer): boolean {
  return bytes.subarray(0, magic.length).equals(magic);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
