/**
 * The file format of segments: codecs of segment header, batch header, batch trailer and log start,
 * and file names. `docs/reference/log-format.md` has the tables and the rules for changes. Summaries are in
 * `summary-format.ts`.
 */

import { crc32 } from 'node:zlib';

export const logVersion = 2;
export const segmentHeaderBytes = 96;
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
const segmentCrcAt = 92;
const headerCrcAt = 60;

/** Kind numbers on disk. */
const kindNumbers = { records: 1, mark: 2, cleanMark: 3, logStart: 4 } as const;
export type BatchKind = keyof typeof kindNumbers;
const kindNames = new Map<number, BatchKind>([
  [kindNumbers.records, 'records'],
  [kindNumbers.mark, 'mark'],
  [kindNumbers.cleanMark, 'cleanMark'],
  [kindNumbers.logStart, 'logStart'],
]);

/** The log start offset: nothing before this segment is needed any more. */
export interface LogStart {
  /** The first segment that is needed. */
  readonly segment: number;
  /** Offset of that segment's first record. */
  readonly offset: number;
  /** Offset of the last record before this log start was written; 0 while nothing was ever dropped. */
  readonly writtenAt: number;
}

/** The start of a log from which nothing was dropped. */
export const noLogStart: LogStart = { segment: 1, offset: 1, writtenAt: 0 };

/** A position between two batches: all that the next batch's header must match. */
export interface LogCursor {
  readonly logId: Uint8Array;
  readonly segment: number;
  readonly nextOffset: number;
  readonly nextSequence: number;
  /** CRC of the header before: of the previous batch, or of the segment for its first batch. */
  readonly chain: number;
  /** The newest log start so far. */
  readonly logStart: LogStart;
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

export function summaryName(segment: number): string {
  return `${String(segment).padStart(10, '0')}.summary`;
}

/** The number of the segment that a summary is about; null for any other file. */
export function summaryNumber(name: string): number | null {
  return /^\d{10}\.summary$/.test(name) ? Number.parseInt(name, 10) : null;
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
  writeNumber(header, segment, 24);
  writeNumber(header, before.nextOffset, 32);
  writeNumber(header, before.nextSequence, 40);
  header.writeUInt32BE(before.chain, 48);
  writeNumber(header, before.logStart.segment, 56);
  writeNumber(header, before.logStart.offset, 64);
  writeNumber(header, before.logStart.writtenAt, 72);
  const chain = crc32(header.subarray(0, segmentCrcAt));
  header.writeUInt32BE(chain, segmentCrcAt);
  return { header, cursor: { ...before, segment, chain } };
}

const damagedHeader: SegmentHeader = { ok: false, problem: 'damaged', version: logVersion };

export function decodeSegmentHeader(segment: Uint8Array): SegmentHeader {
  const header = asBuffer(segment.subarray(0, segmentHeaderBytes));
  const version = header.length >= 6 ? header.readUInt16BE(4) : 0;
  if (header.length < 6 || !startsWith(header, segmentMagic)) return damagedHeader;
  // Another version may be shorter with its CRC elsewhere, so the version is checked first.
  if (version !== logVersion) return { ok: false, problem: 'version', version };
  if (header.length < segmentHeaderBytes) return damagedHeader;
  const chain = header.readUInt32BE(segmentCrcAt);
  if (crc32(header.subarray(0, segmentCrcAt)) !== chain) return damagedHeader;
  const cursor = {
    logId: Uint8Array.from(header.subarray(8, 8 + logIdBytes)),
    segment: readNumber(header, 24),
    nextOffset: readNumber(header, 32),
    nextSequence: readNumber(header, 40),
    chain,
    logStart: {
      segment: readNumber(header, 56),
      offset: readNumber(header, 64),
      writtenAt: readNumber(header, 72),
    },
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
  writeNumber(into, fields.sequence, 16);
  writeNumber(into, fields.firstOffset, 24);
  writeNumber(into, fields.durableUpTo, 32);
  writeNumber(into, fields.durableSequence, 40);
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
    sequence: readNumber(header, 16),
    firstOffset: readNumber(header, 24),
    durableUpTo: readNumber(header, 32),
    durableSequence: readNumber(header, 40),
    payloadCrc: header.readUInt32BE(48),
    chain: header.readUInt32BE(52),
    headerCrc,
  };
}

/** Where the next batch magic begins at or after `from`; -1 when there is none. */
export function findBatchMagic(segment: Uint8Array, from: number): number {
  return asBuffer(segment).indexOf(batchMagic, from);
}

/** The payload of a log start batch: segment and offset. `writtenAt` follows from its position. */
export function encodeLogStart({ segment, offset }: Omit<LogStart, 'writtenAt'>): Uint8Array {
  const payload = Buffer.alloc(16);
  writeNumber(payload, segment, 0);
  writeNumber(payload, offset, 8);
  return payload;
}

/** The log start in a batch; null when its payload is not one. */
export function decodeLogStart(
  payload: Uint8Array,
  { firstOffset }: Pick<BatchHeader, 'firstOffset'>,
): LogStart | null {
  if (payload.length !== 16) return null;
  const bytes = asBuffer(payload);
  const segment = readNumber(bytes, 0);
  return { segment, offset: readNumber(bytes, 8), writtenAt: firstOffset - 1 };
}

/** The cursor after a batch; `logStart` when the batch is one. */
export function advance(
  cursor: LogCursor,
  header: Pick<BatchHeader, 'recordCount' | 'headerCrc'>,
  logStart: LogStart = cursor.logStart,
): LogCursor {
  return {
    ...cursor,
    nextOffset: cursor.nextOffset + header.recordCount,
    nextSequence: cursor.nextSequence + 1,
    chain: header.headerCrc,
    logStart,
  };
}

/** Seeded with the log id: bytes of another log, or a forged header in a job, never pass. */
function batchHeaderCrc(header: Uint8Array, logId: Uint8Array): number {
  let seed = seeds.get(logId);
  if (seed === undefined) {
    seed = crc32(logId);
    seeds.set(logId, seed);
  }
  return crc32(header, seed);
}

/** CRCs of the log ids in use: each is needed for every header. */
const seeds = new WeakMap<Uint8Array, number>();

const twoTo32 = 2 ** 32;

/** A u64 within safe integers; faster than through BigInt. */
function readNumber(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * twoTo32 + from.readUInt32BE(at + 4);
}

function writeNumber(into: Buffer, value: number, at: number): void {
  into.writeUInt32BE(Math.floor(value / twoTo32), at);
  into.writeUInt32BE(value % twoTo32, at + 4);
}

function startsWith(bytes: Buffer, magic: Buffer): boolean {
  return bytes.subarray(0, magic.length).equals(magic);
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
