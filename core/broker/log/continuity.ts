/** Whether what stands side by side belongs together: segments, and summaries beside them. */

import { decodeSegmentHeader, type LogCursor, type LogStart } from './format.ts';
import type { SegmentHead } from './log-files.ts';
import { isSameLog, misplaced, wrongVersion } from './refusals.ts';
import type { Segment } from './scan.ts';
import type { Summary, SummaryEnd } from './summary-format.ts';

/** Whether a summary is about this segment as it stands between its neighbours. */
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
  before: SummaryEnd & { floor: LogStart },
): boolean {
  return (
    cursor.segment === number &&
    isSameEnd({ ...cursor, chain: previousChain }, before) &&
    cursor.floor.segment === before.floor.segment &&
    cursor.floor.offset === before.floor.offset &&
    cursor.floor.writtenAt === before.floor.writtenAt
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
