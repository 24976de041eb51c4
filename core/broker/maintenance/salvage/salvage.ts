/**
 * Salvage: writes all legible records of a damaged log to a new log, with a report of what is lost. The
 * damaged log is read twice and never changed: first for its blobs and epochs, then to copy.
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type FolderLock, FolderLockedError, lockFolder } from '../../folder/folder-lock.ts';
import { type Disk, nodeDisk, replaceFile } from '../../log/disk/disk.ts';
import { decodeRecord } from '../../state-machine/records/records.ts';
import { GenerationWatch } from '../generation.ts';
import { MaintenanceError } from '../maintenance-error.ts';
import { NewSegments, RecordWriter } from '../new-segments.ts';
import { refuseIfDamaged } from '../survey/problems.ts';
import { logDirOf } from '../survey/segment-files.ts';
import type { Survey, SurveyedSegment } from '../survey/survey.ts';
import { surveyLog } from '../survey/survey-log.ts';
import {
  emptyTarget,
  finishTarget,
  refuseUnlessEmpty,
  reportName,
  startTarget,
} from '../target.ts';
import { type VerifyOptions, type VerifyReport, verifyLogDir } from '../verify.ts';
import { BlobCoverage } from './blob-coverage.ts';
import { type LossReport, lossReport, lossText } from './loss-report.ts';
import { OffsetMap, SalvageFilter } from './salvage-filter.ts';

export interface SalvageReport {
  /** The folder that now holds the new log and the report. */
  readonly to: string;
  readonly loss: LossReport;
  /** What the new log holds, read back from the disk. */
  readonly salvaged: VerifyReport;
}

export interface SalvageOptions extends VerifyOptions {
  /** Wall-clock time of the report. */
  readonly nowMs?: number;
}

interface Task extends SalvageOptions {
  readonly disk: Disk;
  readonly from: string;
  readonly nowMs: number;
}

/**
 * @param from a broker's folder
 * @param to a folder that is empty or not there yet: the new log is put into it, with
 *   `loss-report.txt`; its epochs are of another generation
 * @throws FolderLockedError when a broker serves `from`: later changes would be missing
 * @throws MaintenanceError when `from` holds no log, or one of a later version, or `to` is not empty
 */
export async function salvageLog(
  from: string,
  to: string,
  options: SalvageOptions = {},
): Promise<SalvageReport> {
  const task = { disk: nodeDisk, nowMs: Date.now(), ...options, from };
  const { disk } = task;
  const lock = lockIfServed(from);
  try {
    await refuseUnlessEmpty(disk, to);
    const first = await firstPass(task);
    const unfinished = await startTarget(disk, resolve(to));
    try {
      const loss = await writeLegible(task, first, unfinished);
      const salvaged = await verifyLogDir(unfinished, options);
      refuseIfDamaged(salvaged.problems, 'The salvaged log does not pass its checks.');
      const report = await replaceFile(disk, resolve(to), reportName, [
        Buffer.from(lossText(loss)),
      ]);
      await report.close();
      await finishTarget(disk, unfinished);
      return { to, loss, salvaged: { ...salvaged, logDir: logDirOf(to) } };
    } catch (error) {
      // The first error is the one to report.
      await emptyTarget(disk, unfinished).catch(() => undefined);
      throw error;
    }
  } finally {
    lock.release();
  }
}

/** The result of the first pass. */
interface FirstPass {
  readonly blobs: BlobCoverage;
  readonly watch: GenerationWatch;
  readonly compactedUpTo: number;
}

/** @throws MaintenanceError when a later version of aiq wrote some of it, which is no damage */
async function firstPass({ disk, from }: Task): Promise<FirstPass> {
  const blobs = new BlobCoverage();
  const watch = new GenerationWatch();
  let compactedUpTo = 0;
  const survey = await surveyLog(disk, logDirOf(from), {
    begin: ({ logStart }) => {
      compactedUpTo = logStart.writtenAt;
    },
    segment: ({ batches }) => {
      for (const record of batches.flatMap(({ records }) => records)) {
        recordFirstPass(record, blobs, watch);
      }
    },
  });
  refuseLaterVersion(survey);
  return { blobs, watch, compactedUpTo };
}

function recordFirstPass(bytes: Uint8Array, blobs: BlobCoverage, watch: GenerationWatch): void {
  try {
    const record = decodeRecord(bytes);
    blobs.see(record);
    watch.see(record);
  } catch {
    // Counted as illegible in the second pass.
  }
}

function refuseLaterVersion({ problems }: Survey): void {
  const found = problems.find(({ kind }) => kind === 'version' || kind === 'kind');
  if (found === undefined) return;
  throw new MaintenanceError(
    `${found.file}: byte ${found.atByte}: ${found.message}`,
    'This is not damage. Use the version of aiq that wrote it, or a newer one.',
  );
}

async function writeLegible(
  { disk, from, nowMs }: Task,
  { blobs, watch, compactedUpTo }: FirstPass,
  target: string,
): Promise<LossReport> {
  const offsets = new OffsetMap();
  const filter = new SalvageFilter({ compactedUpTo, blobs, offsets });
  const writer = new RecordWriter(new NewSegments(disk, target));
  const survey = await surveyLog(disk, logDirOf(from), {
    segment: async (segment) => {
      for (const [offset, bytes] of recordsOf(segment)) {
        const taken = filter.take(bytes, offset);
        for (const record of taken) await writer.add(record);
        if (taken.length > 0) offsets.add(offset, writer.endOffset);
      }
      writer.flush();
    },
  });
  const kept = { records: writer.endOffset, jobs: filter.jobs };
  await writer.add(watch.nextRecord(nowMs));
  await writer.finish();
  return lossReport(survey, filter.losses, { from, at: new Date(nowMs).toISOString(), kept });
}

function* recordsOf({ batches }: SurveyedSegment): Generator<[offset: number, bytes: Uint8Array]> {
  for (const { header, records } of batches) {
    for (const [index, bytes] of records.entries()) yield [header.firstOffset + index, bytes];
  }
}

/**
 * Locks a folder that must not change. A folder without lock file never had a broker, and none is
 * created in it; a read-only one (a mounted snapshot) cannot be served either.
 * @throws FolderLockedError when a broker serves the folder
 */
function lockIfServed(dir: string): FolderLock {
  const unlocked = { release: () => undefined };
  if (!existsSync(join(dir, 'lock'))) return unlocked;
  try {
    return lockFolder(dir);
  } catch (error) {
    if (error instanceof FolderLockedError) throw error;
    return unlocked;
  }
}
