/** Checks a summary against its segment, which a start would replay without reading the segment. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { StoredRecord, Summarizer } from '../log/contract.ts';
import type { Disk } from '../log/disk/disk.ts';
import { summaryName } from '../log/format/format.ts';
import { decodeSummary, type Summary } from '../log/format/summary-format.ts';
import type { LogProblem } from './survey/problems.ts';
import { mediumProblem } from './survey/segment-files.ts';
import type { SurveyedSegment } from './survey/survey.ts';

export interface SummaryFinding {
  /** A contradiction, which a start would not notice. */
  readonly problem: LogProblem | null;
  /** A harmless finding: a start reads the segment instead. */
  readonly notice: string | null;
}

const nothing: SummaryFinding = { problem: null, notice: null };

/** @param summarize makes summaries as the broker does */
export async function checkSummary(
  disk: Disk,
  logDir: string,
  segment: SurveyedSegment,
  summarize: () => Summarizer,
): Promise<SummaryFinding> {
  const path = join(logDir, summaryName(segment.file.number));
  const bytes = await disk.readFile(path).catch(noneOf);
  if (bytes === null) return nothing;
  const summary = decodeSummary(bytes);
  if (summary === null) {
    const notice = `${path} is damaged or of another version; the next start writes it again`;
    return { ...nothing, notice };
  }
  const wrong = contradiction(summary, segment, summarize);
  if (wrong === null) return nothing;
  const message = `the summary does not fit its segment: ${wrong}. Remove it; the next start writes it again`;
  const place = { file: path, atByte: 0, bytes: 0, firstOffset: null, records: 0 };
  return { ...nothing, problem: { ...place, kind: 'summary', message } };
}

/** A missing or unreadable summary is written again by the next start. */
function noneOf(error: unknown): null {
  mediumProblem(error);
  return null;
}

function contradiction(
  summary: Summary,
  { file, start, batches }: SurveyedSegment,
  summarize: () => Summarizer,
): string | null {
  if (start === null || summary.segment !== start.segment) return 'it is of another segment';
  const sha256 = createHash('sha256').update(file.bytes).digest();
  if (!sha256.equals(summary.sha256)) return "it was made of other bytes than the segment's";
  const places = batches.filter(({ header }) => header.kind === 'records');
  const same = places.every(({ atByte, header }, index) => {
    const place = summary.index.at(index);
    return place?.atByte === atByte && place.headerCrc === header.headerCrc;
  });
  if (!same || summary.index.count !== places.length) return 'it places batches elsewhere';
  try {
    return sameRecords(summary.records, shortened(batches, summarize()))
      ? null
      : 'it does not say what the records of the segment say';
  } catch (error) {
    return `the records of the segment cannot be shortened (${String(error)})`;
  }
}

function shortened(
  batches: SurveyedSegment['batches'],
  summarizer: Summarizer,
): Iterable<StoredRecord> {
  for (const { header, records } of batches) {
    for (const [index, bytes] of records.entries()) {
      summarizer.add({ offset: header.firstOffset + index, bytes });
    }
  }
  return summarizer.finish();
}

function sameRecords(left: Iterable<StoredRecord>, right: Iterable<StoredRecord>): boolean {
  const others = right[Symbol.iterator]();
  for (const one of left) {
    const other = others.next();
    if (other.done === true || other.value.offset !== one.offset) return false;
    if (Buffer.compare(other.value.bytes, one.bytes) !== 0) return false;
  }
  return others.next().done === true;
}
