/**
 * Determines the id and the log start of a log, which must be known before its segments are read. The
 * newest log start may be in the last segment.
 */

import type { Disk } from '../../log/disk/disk.ts';
import {
  decodeSegmentHeader,
  type LogCursor,
  type LogStart,
  noLogStart,
} from '../../log/format/format.ts';
import { asPart, readBatches } from '../../log/format/segment-reader.ts';
import { readHeaders, type SegmentFile } from './segment-files.ts';

export interface LogIdentity {
  readonly logId: Uint8Array;
  readonly logStart: LogStart;
}

/**
 * The id in most of the valid segment headers, and the newest log start in those headers or in the
 * last segment. Null when no header is valid.
 */
export async function identifyLog(
  disk: Disk,
  logDir: string,
  { numbers, tail }: { readonly numbers: readonly number[]; readonly tail: SegmentFile },
): Promise<LogIdentity | null> {
  const headers = await readHeaders(disk, logDir, numbers.slice(0, -1));
  const ofTail = decodeSegmentHeader(tail.bytes);
  if (ofTail.ok) headers.push(ofTail.cursor);
  const logId = mostFrequentId(headers);
  if (logId === null) return null;
  const own = headers.filter((header) => sameId(header.logId, logId));
  const logStarts = own.map(({ logStart }) => logStart);
  const logStart = [...logStarts, ...logStartsIn(tail, logId)].reduce(
    (newest, one) => (one.writtenAt > newest.writtenAt ? one : newest),
    noLogStart,
  );
  return { logId, logStart };
}

export function sameId(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function mostFrequentId(headers: readonly LogCursor[]): Uint8Array | null {
  const counts = new Map<string, number>();
  for (const { logId } of headers) {
    const key = Buffer.from(logId).toString('hex');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const [first] = [...counts].sort(([, left], [, right]) => right - left);
  return first === undefined ? null : Buffer.from(first[0], 'hex');
}

function logStartsIn(file: SegmentFile, logId: Uint8Array): LogStart[] {
  return [...readBatches(asPart(file), logId, 0)].flatMap((found) =>
    found.type === 'batch' ? (found.logStart ?? []) : [],
  );
}
