/**
 * Reads everything that a log holds and says what is wrong, changing nothing. It may be asked while
 * a broker runs: what that is just writing is a loose end then, and no damage.
 */

import { join } from 'node:path';
import type { Summarizer } from '../log/contract.ts';
import { type Disk, nodeDisk } from '../log/disk.ts';
import { segmentName } from '../log/format.ts';
import { SegmentSummary } from '../state-machine/records/segment-summary.ts';
import { checkSummary } from './check-summary.ts';
import { logDirOf } from './folder.ts';
import type { LogProblem } from './problems.ts';
import type { JobCounts, RecordCheck } from './record-check.ts';
import { startStateCheck } from './state-check.ts';
import type { LooseEnd, Survey, SurveyedSegment } from './survey.ts';
import { surveyLog, whileItChanges } from './survey-log.ts';

export interface VerifyOptions {
  readonly disk?: Disk;
  /** Makes a new check for each reading of the log; the broker's own state unless told otherwise. */
  readonly startCheck?: () => RecordCheck;
  /** Makes summaries to compare with those that are there; as the broker does unless told otherwise. */
  readonly summarize?: () => Summarizer;
}

export interface VerifyReport {
  readonly logDir: string;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
  /** Offsets of the first and the last record that are there. */
  readonly firstOffset: number;
  readonly endOffset: number;
  /** True when the broker closed the log and nothing was written since. */
  readonly clean: boolean;
  /** Bytes at the end that never became durable, and so were never promised to anybody. */
  readonly looseEnd: LooseEnd | null;
  /** Null when problems keep the records from being followed to the end. */
  readonly jobs: JobCounts | null;
  readonly problems: readonly LogProblem[];
  /** What is not as it should be and costs nothing. */
  readonly notices: readonly string[];
}

/**
 * @param dir a broker's folder
 * @throws MaintenanceError when the folder holds no log
 */
export function verifyLog(dir: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  return verifyLogDir(logDirOf(dir), options);
}

/** The same for a folder that holds the segments themselves. */
export function verifyLogDir(logDir: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  return whileItChanges(logDir, () => verifyOnce(logDir, options));
}

async function verifyOnce(logDir: string, options: VerifyOptions): Promise<VerifyReport> {
  const { disk = nodeDisk, startCheck = startStateCheck } = options;
  const { summarize = () => new SegmentSummary() } = options;
  const check = startCheck();
  const contradictions: LogProblem[] = [];
  const summaryProblems: LogProblem[] = [];
  const notices: string[] = [];
  const survey = await surveyLog(disk, logDir, {
    begin: ({ logStart }) => check.begin(logStart.writtenAt),
    segment: async (segment, { problems, lastNumber }) => {
      // The last one has a summary only when it was sealed after it was read: of more than was read.
      if (segment.file.number < lastNumber) {
        const { problem, notice } = await checkSummary(disk, logDir, segment, summarize);
        if (problem !== null) summaryProblems.push(problem);
        if (notice !== null) notices.push(notice);
      }
      // Behind damage every record about a lost job would count as a contradiction.
      if (problems.length > 0 || contradictions.length > 0) return;
      const found = followRecords(segment, check);
      if (found !== null) contradictions.push(found);
    },
  });
  const damage = [...survey.problems, ...contradictions];
  const end =
    damage.length === 0 ? finishCheck(check, join(logDir, segmentName(survey.lastNumber))) : null;
  const problems = [...damage, ...(end?.problems ?? []), ...summaryProblems];
  return {
    logDir,
    ...countsOf(survey),
    looseEnd: survey.looseEnd,
    jobs: end?.jobs ?? null,
    problems,
    notices,
  };
}

function finishCheck(
  check: RecordCheck,
  lastFile: string,
): { readonly jobs: JobCounts | null; readonly problems: readonly LogProblem[] } {
  try {
    return { jobs: check.finish(), problems: [] };
  } catch (error) {
    const place = { file: lastFile, atByte: 0, bytes: 0, firstOffset: null };
    const message = `all records together: ${messageOf(error)}`;
    return { jobs: null, problems: [{ ...place, kind: 'record', records: null, message }] };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function countsOf(survey: Survey) {
  const { segments, batches, records, bytes, firstOffset, clean } = survey;
  const endOffset = survey.cursor.nextOffset - 1;
  return { segments, batches, records, bytes, firstOffset, endOffset, clean };
}

/** Hands the segment's records to the check; the first one that it refuses, if any. */
function followRecords({ file, batches }: SurveyedSegment, check: RecordCheck): LogProblem | null {
  for (const { atByte, header, records } of batches) {
    for (const [index, record] of records.entries()) {
      const offset = header.firstOffset + index;
      try {
        check.record(record, offset);
      } catch (error) {
        const message = `record ${offset}: ${messageOf(error)}`;
        const place = { file: file.path, atByte, bytes: 0 };
        return { ...place, kind: 'record', firstOffset: offset, records: null, message };
      }
    }
  }
  return null;
}
