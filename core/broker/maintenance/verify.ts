/**
 * Verify: reads a whole log and reports all problems, changing nothing. While a broker runs, what it is
 * just writing is a loose end, not damage.
 */

import { join } from 'node:path';
import { messageOf } from '../../base/index.ts';
import type { Summarizer } from '../log/contract.ts';
import { type Disk, nodeDisk } from '../log/disk/disk.ts';
import { segmentName } from '../log/format/format.ts';
import { SegmentSummary } from '../state-machine/records/segment-summary.ts';
import { checkSummary } from './check-summary.ts';
import { type JobCounts, type RecordCheck, startStateCheck } from './state-check.ts';
import type { LogProblem } from './survey/problems.ts';
import { logDirOf } from './survey/segment-files.ts';
import type { LooseEnd, Survey, SurveyedSegment } from './survey/survey.ts';
import { surveyLog, whileItChanges } from './survey/survey-log.ts';

export interface VerifyOptions {
  readonly disk?: Disk;
  /** Makes a new check for each reading of the log; the broker's own state by default. */
  readonly startCheck?: () => RecordCheck;
  /** Makes summaries to compare with the existing ones; as the broker does by default. */
  readonly summarize?: () => Summarizer;
}

export interface VerifyReport {
  readonly logDir: string;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
  /** Offsets of the first and the last record. */
  readonly firstOffset: number;
  readonly endOffset: number;
  /** True when the log was closed cleanly. */
  readonly clean: boolean;
  /** Bytes at the end that are not durable, and so were never acknowledged. */
  readonly looseEnd: LooseEnd | null;
  /** Null when problems prevent a replay of all records. */
  readonly jobs: JobCounts | null;
  readonly problems: readonly LogProblem[];
  /** Harmless findings. */
  readonly notices: readonly string[];
}

/**
 * @param dir a broker's folder
 * @throws MaintenanceError when the folder holds no log
 */
export function verifyLog(dir: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  return verifyLogDir(logDirOf(dir), options);
}

/** The same for a folder with the segments themselves. */
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
      // A summary of the last one is of a segment sealed after it was read, with more content.
      if (segment.file.number < lastNumber) {
        const { problem, notice } = await checkSummary(disk, logDir, segment, summarize);
        if (problem !== null) summaryProblems.push(problem);
        if (notice !== null) notices.push(notice);
      }
      // After damage every record about a lost job would count as a contradiction.
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

function countsOf(survey: Survey) {
  const { segments, batches, records, bytes, firstOffset, clean } = survey;
  const endOffset = survey.cursor.nextOffset - 1;
  return { segments, batches, records, bytes, firstOffset, endOffset, clean };
}

/** Replays the segment's records into the check; returns the first one that it refuses. */
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
