/** Checks that segments follow each other, and that a summary belongs to its segment. */

import { decodeSegmentHeader, type LogCursor, type LogStart } from '../format/format.ts';
import type { Segment } from '../format/segment-reader.ts';
import type { Summary, SummaryEnd } from '../format/summary-format.ts';
import type { SegmentHead } from './log-files.ts';
import { isSameLog, misplaced, wrongVersion } from './refusals.ts';

/** Whether a summary is of this segment, given the segments before and after it. */
export function summaryFits(
  summary: Summary,
  before: LogCursor,
  { own, next }: { own: SegmentHead; next: SegmentHead },
): boolean {
  const { segment, segmentBytes, after } = summary;
  return (
    segment === before.segment + 1 &&
    segmentBytes === own.bytes &&
    Buffer.from(summary.logId).equals(before.logId) &&
    isSameEnd(summary.before, before) &&
    own.header.ok &&
    follows(own.header, segment, before) &&
    next.header.ok &&
    follows(next.header, segment + 1, after)
  );
}

function isSameEnd(one: SummaryEnd, other: SummaryEnd): boolean {
  return (
    one.nextOffset === other.nextOffset &&
    one.nextSequence === other.nextSequence &&
    one.chain === other.chain
  );
}

type GoodHeader = Extract<SegmentHead['header'], { ok: true }>;

function follows(
  { cursor, previousChain }: GoodHeader,
  number: number,
  before: SummaryEnd & { logStart: LogStart },
): boolean {
  return (
    cursor.segment === number &&
    isSameEnd({ ...cursor, chain: previousChain }, before) &&
    cursor.logStart.segment === before.logStart.segment &&
    cursor.logStart.offset === before.logStart.offset &&
    cursor.logStart.writtenAt === before.logStart.writtenAt
  );
}

/**
 * The cursor after the segment's header; null when the header is damaged.
 * @throws LogDamagedError when the header does not belong here or is of another version
 */
export function readHeader(segment: Segment, before: LogCursor): LogCursor | null {
  const header = decodeSegmentHeader(segment.bytes);
  if (!header.ok) {
    if (header.problem === 'version') throw wrongVersion(segment, header.version);
    return null;
  }
  const { cursor } = header;
  if (isSameLog(cursor, before) && follows(header, segment.number, before)) return cursor;
  throw misplaced(segment, cursor, before);
}
