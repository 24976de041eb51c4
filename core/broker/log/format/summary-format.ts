/**
 * The file format of summaries: the cursors at both ends of a sealed segment, the index of its batches,
 * and its shortened records. `docs/reference/log-format.md` has the table.
 */

import { crc32 } from 'node:zlib';
import type { StoredRecord } from '../contract.ts';
import { BatchIndex } from './batch-index.ts';
import { type LogStart, logIdBytes } from './format.ts';

export const summaryVersion = 3;
export const summaryHeaderBytes = 160;

const magic = Buffer.from('AIQS', 'latin1');
const sha256At = 104;
const headerCrcAt = 156;
const batchRowBytes = 12;
const entryHeaderBytes = 12;

/** The parts of a log cursor that a summary has. */
export interface SummaryEnd {
  readonly nextOffset: number;
  readonly nextSequence: number;
  readonly chain: number;
}

/** A summary without index and records. */
export interface SummaryHead {
  readonly logId: Uint8Array;
  readonly segment: number;
  readonly segmentBytes: number;
  /** Before the segment's header. */
  readonly before: SummaryEnd;
  /** After its last batch. */
  readonly after: SummaryEnd & { readonly logStart: LogStart };
  /** Of all bytes of the segment. */
  readonly sha256: Uint8Array;
}

export interface Summary extends SummaryHead {
  readonly index: BatchIndex;
  /** The shortened records in order; several may share an offset. */
  readonly records: Iterable<StoredRecord>;
}

/** Entries in pieces of at most this size, so that a large summary is not one large buffer. */
const pieceBytes = 64 * 1024;

/** Collects the records of a summary. */
export class SummaryRecords {
  #count = 0;
  #pieces: Buffer[] = [];
  #piece = Buffer.alloc(0);
  #end = 0;

  get count(): number {
    return this.#count;
  }

  /** Their bytes. */
  get pieces(): readonly Uint8Array[] {
    return [...this.#pieces, this.#piece.subarray(0, this.#end)];
  }

  add({ offset, bytes }: StoredRecord): void {
    const needed = entryHeaderBytes + bytes.length;
    if (this.#end + needed > this.#piece.length) {
      this.#pieces.push(this.#piece.subarray(0, this.#end));
      const usual = Math.min(pieceBytes, 2 * this.#piece.length);
      this.#piece = Buffer.allocUnsafeSlow(Math.max(needed, usual));
      this.#end = 0;
    }
    this.#piece.writeBigUInt64BE(BigInt(offset), this.#end);
    this.#piece.writeUInt32BE(bytes.length, this.#end + 8);
    this.#piece.set(bytes, this.#end + entryHeaderBytes);
    this.#end += needed;
    this.#count += 1;
  }
}

/** Encodes a summary, in pieces. */
export function encodeSummary(
  head: SummaryHead,
  index: BatchIndex,
  records: SummaryRecords,
): Uint8Array[] {
  const body = [encodeRows(index), ...records.pieces];
  const { before, after } = head;
  const header = Buffer.alloc(summaryHeaderBytes);
  magic.copy(header, 0);
  header.writeUInt16BE(summaryVersion, 4);
  header.set(head.logId, 8);
  [
    head.segment,
    head.segmentBytes,
    before.nextOffset,
    before.nextSequence,
    after.nextOffset,
    after.nextSequence,
  ].forEach((value, place) => header.writeBigUInt64BE(BigInt(value), 24 + place * 8));
  header.writeUInt32BE(before.chain, 72);
  header.writeUInt32BE(after.chain, 76);
  [after.logStart.segment, after.logStart.offset, after.logStart.writtenAt].forEach(
    (value, place) => header.writeBigUInt64BE(BigInt(value), 80 + place * 8),
  );
  header.set(head.sha256, sha256At);
  header.writeUInt32BE(index.count, 136);
  header.writeUInt32BE(records.count, 140);
  header.writeBigUInt64BE(BigInt(body.reduce((sum, { length }) => sum + length, 0)), 144);
  header.writeUInt32BE(
    body.reduce((crc, piece) => crc32(piece, crc), 0),
    152,
  );
  header.writeUInt32BE(crc32(header.subarray(0, headerCrcAt)), headerCrcAt);
  return [header, ...body];
}

/** Null unless the bytes are a valid summary of this version. */
export function decodeSummary(bytes: Uint8Array): Summary | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < summaryHeaderBytes || !file.subarray(0, 4).equals(magic)) return null;
  if (crc32(file.subarray(0, headerCrcAt)) !== file.readUInt32BE(headerCrcAt)) return null;
  const body = file.subarray(summaryHeaderBytes);
  const intact =
    file.readUInt16BE(4) === summaryVersion &&
    BigInt(body.length) === file.readBigUInt64BE(144) &&
    crc32(body) === file.readUInt32BE(152);
  if (!intact) return null;
  const number = (at: number) => Number(file.readBigUInt64BE(at));
  const before = { nextOffset: number(40), nextSequence: number(48), chain: file.readUInt32BE(72) };
  const after = { nextOffset: number(56), nextSequence: number(64), chain: file.readUInt32BE(76) };
  const logStart = { segment: number(80), offset: number(88), writtenAt: number(96) };
  const rowsBytes = file.readUInt32BE(136) * batchRowBytes;
  const entries = body.subarray(Math.min(rowsBytes, body.length));
  if (rowsBytes > body.length || !areEntries(entries, file.readUInt32BE(140))) return null;
  return {
    logId: Uint8Array.from(file.subarray(8, 8 + logIdBytes)),
    segment: number(24),
    segmentBytes: number(32),
    before,
    after: { ...after, logStart },
    sha256: Uint8Array.from(file.subarray(sha256At, sha256At + 32)),
    index: new BatchIndex(before.nextOffset, decodeRows(body.subarray(0, rowsBytes))),
    records: { [Symbol.iterator]: () => entriesIn(entries) },
  };
}

function encodeRows(index: BatchIndex): Buffer {
  const { rows } = index;
  const bytes = Buffer.allocUnsafeSlow(rows.length * 4);
  rows.forEach((value, place) => bytes.writeUInt32BE(value, place * 4));
  return bytes;
}

function decodeRows(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: bytes.length / 4 }, (_, place) =>
    bytes.readUInt32BE(place * 4),
  );
}

/** Whether the bytes are exactly `count` entries. */
function areEntries(bytes: Buffer, count: number): boolean {
  let at = 0;
  let found = 0;
  while (at + entryHeaderBytes <= bytes.length) {
    at += entryHeaderBytes + bytes.readUInt32BE(at + 8);
    found += 1;
  }
  return at === bytes.length && found === count;
}

function* entriesIn(bytes: Buffer): Generator<StoredRecord> {
  for (let at = 0; at < bytes.length; ) {
    const from = at + entryHeaderBytes;
    const to = from + bytes.readUInt32BE(at + 8);
    const offset = bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
    // No `Buffer`, of which a view takes several times as long.
    yield { offset, bytes: new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from) };
    at = to;
  }
}
