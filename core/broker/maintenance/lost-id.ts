/**
 * Finds a stand-in for the id of a log when every segment header is lost, as when the first sector
 * of the only segment is. The checksum of a batch's header is started with the CRC of the id, and a
 * CRC can be run backwards: each header gives that start value away. Any id with the same CRC then
 * reads the batches as the real one would.
 */

import { crc32 } from 'node:zlib';
import {
  batchFrameBytes,
  batchHeaderBytes,
  decodeBatchHeader,
  findBatchMagic,
  logIdBytes,
} from '../log/format.ts';
import { payloadOf } from '../log/segment-reader.ts';

const headerCrcAt = 60;

/** An id with which most batches of the segment can be read; null when there is no whole batch. */
export function standInForId(segment: Uint8Array): Uint8Array | null {
  const votes = new Map<number, number>();
  for (let at = findBatchMagic(segment, 0); at !== -1; at = findBatchMagic(segment, at + 1)) {
    if (at + batchFrameBytes > segment.length) break;
    const start = startValue(segment.subarray(at, at + batchHeaderBytes));
    const header = decodeBatchHeader(segment, at, idWithCrc(start));
    if (header === null || header.kind === null || payloadOf(segment, at, header) === null)
      continue;
    votes.set(start, (votes.get(start) ?? 0) + 1);
  }
  const [winner] = [...votes].sort(([, left], [, right]) => right - left);
  return winner === undefined ? null : idWithCrc(winner[0]);
}

/** The value with which the header's CRC was started. */
function startValue(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return invert(backwards(invert(view.getUint32(headerCrcAt)), header.subarray(0, headerCrcAt)));
}

/** An id of zeros but for its last four bytes, which bring its CRC to `crc`. */
function idWithCrc(crc: number): Uint8Array {
  const id = Buffer.alloc(logIdBytes);
  const tail = logIdBytes - 4;
  const before = invert(crc32(id.subarray(0, tail)));
  // Four bytes from one state do what four zeros do from that state with the bytes added to it.
  id.writeUInt32LE((before ^ backwards(invert(crc), id.subarray(tail))) >>> 0, tail);
  return id;
}

/** The state of the CRC before it took `bytes`, when `state` is the one after. */
function backwards(state: number, bytes: Uint8Array): number {
  let before = state;
  for (let at = bytes.length - 1; at >= 0; at--) {
    const index = indexByTop[before >>> 24] ?? 0;
    before = (((before ^ (table[index] ?? 0)) << 8) | (index ^ (bytes[at] ?? 0))) >>> 0;
  }
  return before;
}

function invert(value: number): number {
  return ~value >>> 0;
}

/** The steps of CRC-32 by the byte that is shifted out, and each step by the top byte it leaves. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => stepOf(byte));
const indexByTop = new Uint8Array(256);
for (const [index, step] of table.entries()) indexByTop[step >>> 24] = index;

function stepOf(byte: number): number {
  let step = byte;
  for (let bit = 0; bit < 8; bit++)
    step = (step & 1) === 0 ? step >>> 1 : (step >>> 1) ^ 0xedb88320;
  return step >>> 0;
}
