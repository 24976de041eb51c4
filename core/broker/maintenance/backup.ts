/**
 * Backup: copies the log of a broker's folder, also while the broker runs: sealed segments never change,
 * and the last one only grows. Only verified batches are copied.
 */

import { resolve } from 'node:path';
import { type Disk, nodeDisk, replaceFile } from '../log/disk/disk.ts';
import { segmentName } from '../log/format/format.ts';
import { createProof } from '../log/format/proven-end.ts';
import { refuseIfDamaged } from './survey/problems.ts';
import { logDirOf } from './survey/segment-files.ts';
import type { SurveyedSegment } from './survey/survey.ts';
import { surveyLog, whileItChanges } from './survey/survey-log.ts';
import { emptyTarget, finishTarget, refuseUnlessEmpty, startTarget } from './target.ts';
import { type VerifyOptions, type VerifyReport, verifyLogDir } from './verify.ts';

export interface BackupReport {
  /** The folder that now holds the copy. */
  readonly to: string;
  /** Verification of the copy. `endOffset` is its last record. */
  readonly copy: VerifyReport;
}

/**
 * @param dir a broker's folder
 * @param to a folder that is empty or missing; `restoreLog` makes a broker's folder of it
 * @throws LogDamagedError when the log is damaged; nothing is left in `to` then but an empty folder
 * @throws MaintenanceError when `dir` holds no log, or `to` is not empty
 */
export async function backupLog(
  dir: string,
  to: string,
  options: VerifyOptions = {},
): Promise<BackupReport> {
  const { disk = nodeDisk } = options;
  const logDir = logDirOf(dir);
  await refuseUnlessEmpty(disk, to);
  const unfinished = await startTarget(disk, resolve(to));
  try {
    await whileItChanges(logDir, async () => {
      await emptyTarget(disk, unfinished);
      await copySegments(disk, logDir, unfinished);
    });
    const copy = await verifyLogDir(unfinished, options);
    refuseIfDamaged(copy.problems, 'The copy was not kept.');
    await finishTarget(disk, unfinished);
    return { to, copy: { ...copy, logDir: logDirOf(to) } };
  } catch (error) {
    // The first error is the one to report.
    await emptyTarget(disk, unfinished).catch(() => undefined);
    throw error;
  }
}

async function copySegments(disk: Disk, logDir: string, target: string): Promise<void> {
  let lastBytes = 0;
  const { cursor } = await surveyLog(disk, logDir, {
    segment: async (segment, { problems }) => {
      refuseIfDamaged(problems, 'Nothing was copied. Salvage gets out what is legible.');
      const { start, file } = segment;
      if (start === null) return;
      const copy = await replaceFile(disk, target, segmentName(file.number), [goodBytes(segment)]);
      await copy.close();
      lastBytes = segment.goodUpTo;
    },
  });
  const { logId, segment, nextOffset } = cursor;
  const end = { logId, segment, bytes: lastBytes, offset: nextOffset - 1 };
  const proof = await createProof(disk, target, end);
  await proof.close();
}

/** The segment up to its last valid batch. */
function goodBytes({ file, goodUpTo }: SurveyedSegment): Uint8Array {
  return file.bytes.subarray(0, goodUpTo);
}
