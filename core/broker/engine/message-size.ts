/** Estimates the encoded size of a message without encoding it, for send quotas. */

import { frameHeaderBytes, pieceAt } from '../../protocol/index.ts';

/** Bytes of the encoded frame, or a little more; texts count as ASCII. */
export function encodedBytes(fields: object): number {
  return frameHeaderBytes + bytesOf(fields);
}

function bytesOf(value: unknown): number {
  if (typeof value === 'string') return 4 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (value instanceof Uint8Array) return 4 + value.length;
  if (Array.isArray(value)) return bytesOfList(value);
  let bytes = 4;
  for (const name in value) bytes += bytesOf((value as Record<string, unknown>)[name]);
  return bytes;
}

function bytesOfList(values: readonly unknown[]): number {
  let bytes = 4;
  for (let at = 0; at < values.length; ) {
    const piece = pieceAt(values, at);
    bytes += piece?.bytes.length ?? bytesOf(values[at]);
    at += piece?.count ?? 1;
  }
  return bytes;
}
