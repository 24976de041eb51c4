/**
 * What must be known of a log before its segments are read: which id is its own, and up to where
 * compaction dropped it. The newest word on both may stand in the last segment.
 */

import type { Disk } from '../log/disk.ts';
import { decodeSegmentHeader, type LogCursor, type LogStart, noLogStart } from '../log/format.ts';
import { asPart, readBatches } from '../log/segment-reader.ts';
import { readHeaders, readSegment, type SegmentFile } from './folder.ts';
import { standInForId } from './lost-id.ts';

export interface LogIdentity {
  readonly logId: Uint8Array;
  readonly logStart: LogStart;
}

/**
 * The id that most of the legible headers have, and the newest log start stated in headers of that id
 * or in the last segment. Where no header is legible the batches tell; null when there is none.
 */
export async function identifyLog(
  disk: Disk,
  logDir: string,
  { numbers, tail }: { readonly numbers: readonly number[]; readonly tail: SegmentFile },
): Promise<LogIdentity | null> {
  const headers = await readHeaders(disk, logDir, numbers.slice(0, -1));
  const ofTail = decodeSegmentHeader(tail.bytes);
  if (ofTail.ok) headers.push(ofTail.cursor);
  const logId = mostFrequentId(headers) ?? (await idFromBatches(disk, logDir, numbers));
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

async function idFromBatches(
  disk: Disk,
  logDir: string,
  numbers: readonly number[],
): Promise<Uint8Array | null> {
  for (const number of numbers) {
    const file = await readSegment(disk, logDir, number);
    const found = file === null ? null : standInForId(file.bytes);
    if (found !== null) return found;
  }
  return null;
}

function logStartsIn(file: SegmentFile, logId: Uint8Array): LogStart[] {
  return [...readBatches(asPart(file), logId, 0)].flatMap((found) =>
    found.type === 'batch' ? (found.logStart ?? []) : [],
  );
}
