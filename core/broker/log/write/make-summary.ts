/** Makes the summary of a sealed segment from its file. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '../../../base/index.ts';
import type { SealedSegment, StoredRecord, Summarizer } from '../contract.ts';
import type { Disk, ReadableFile } from '../disk/disk.ts';
import {
  decodeSegmentHeader,
  type LogCursor,
  segmentHeaderBytes,
  segmentName,
} from '../format/format.ts';
import type { SegmentPart } from '../format/segment-reader.ts';
import { encodeSummary, SummaryRecords } from '../format/summary-format.ts';
import { damagedAfterStart } from '../recovery/refusals.ts';
import { scanBatches } from '../recovery/scan.ts';

/** What is known of a sealed segment when its summary is made. */
export type SegmentToSummarize = Omit<SealedSegment, 'summaryFile'>;

/** A transient error: the summary is retried later. */
export class RetryLater extends Error {}

export interface SummaryMaking {
  readonly disk: Pick<Disk, 'openForReading'>;
  /** Folder of the segments. */
  readonly dir: string;
  readonly summarize: () => Summarizer;
  /** Awaited between steps of about a millisecond; may throw to give up. */
  readonly pause: () => Promise<void>;
}

/** Bytes read and hashed in one turn of the event loop, and records summarized. */
const partBytes = 256 * 1024;
const recordsPerStep = 256;
/** The same by bytes of records, which may hold many jobs each. */
const bytesPerStep = 64 * 1024;

/**
 * The content of the summary's file, in pieces.
 * @throws RetryLater when the segment cannot be read just now
 * @throws LogDamagedError when it is damaged
 */
export async function makeSummary(
  segment: SegmentToSummarize,
  making: SummaryMaking,
): Promise<readonly Uint8Array[]> {
  const { disk, dir, pause } = making;
  const summarizer = making.summarize();
  const path = join(dir, segmentName(segment.number));
  await pause();
  const file = await disk.openForReading(path).catch(retryLater);
  let sha256: Uint8Array;
  try {
    sha256 = await feed(segment, { path, file }, { summarizer, pause });
  } finally {
    await file.close();
  }
  const records = new SummaryRecords();
  for (const record of summarizer.finish()) {
    records.add(record);
    if (records.count % recordsPerStep === 0) await pause();
  }
  await pause();
  return encodeSummary(headOf(segment, sha256), segment.index, records);
}

/** Reads the segment in parts, verifies it and passes on its records; returns its hash. */
async function feed(
  segment: SegmentToSummarize,
  { path, file }: { path: string; file: ReadableFile },
  { summarizer, pause }: { summarizer: Summarizer; pause: () => Promise<void> },
): Promise<Uint8Array> {
  const hash = createHash('sha256');
  const { number } = segment;
  let cursor: LogCursor | null = null;
  let buffer = Buffer.alloc(0);
  for (const [from, to] of partsOf(segment)) {
    if (buffer.length < to - from) buffer = Buffer.allocUnsafeSlow(to - from);
    const bytes = buffer.subarray(0, to - from);
    const filled = await file.read(bytes, from).catch(retryLater);
    hash.update(bytes);
    const part = { path, number, bytes: bytes.subarray(0, filled), atByte: from };
    const found: StoredRecord[] = [];
    cursor = cursor === null ? readHeader(part) : readPart(part, cursor, found);
    await pause();
    let step = 0;
    for (const record of found) {
      summarizer.add(record);
      step += 1 / recordsPerStep + record.bytes.length / bytesPerStep;
      if (step < 1) continue;
      await pause();
      step = 0;
    }
  }
  if (cursor?.chain !== segment.after.chain) {
    throw damagedAfterStart({ path, number, bytes: buffer }, segment.bytes);
  }
  return hash.digest();
}

export function retryLater(error: unknown): never {
  throw new RetryLater(messageOf(error));
}

/** The ranges in which the segment is read: its header, then whole batches. */
function* partsOf({ index, bytes }: SegmentToSummarize): Generator<readonly [number, number]> {
  let from = 0;
  let to = segmentHeaderBytes;
  for (let batch = 0; batch <= index.count; batch++) {
    const end = index.at(batch)?.atByte ?? bytes;
    if (from === 0 || end - from > partBytes) {
      if (to > from) yield [from, to];
      from = to;
    }
    to = end;
  }
  if (to > from) yield [from, to];
}

function readHeader(part: SegmentPart): LogCursor {
  const header = decodeSegmentHeader(part.bytes);
  if (!header.ok) throw damagedAfterStart(part, 0);
  return header.cursor;
}

function readPart(part: SegmentPart, cursor: LogCursor, found: StoredRecord[]): LogCursor {
  const scan = scanBatches(part, cursor, ({ header, records }) => {
    for (const [at, bytes] of records.entries()) {
      found.push({ offset: header.firstOffset + at, bytes });
    }
  });
  if (scan.damage !== null) throw damagedAfterStart(part, scan.damage.atByte);
  return scan.cursor;
}

function headOf({ number, bytes, before, after }: SegmentToSummarize, sha256: Uint8Array) {
  return { logId: after.logId, segment: number, segmentBytes: bytes, before, after, sha256 };
}
