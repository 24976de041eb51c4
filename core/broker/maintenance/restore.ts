/**
 * Restore: makes a broker's folder from a backup, as a new generation of its log: with another id, so
 * that files of the lost log are not mistaken for its own, and epochs that no lease of the lost log has.
 */

import { resolve } from 'node:path';
import { HeldFolder, heldDisk } from '../folder/held-folder.ts';
import { type Disk, nodeDisk } from '../log/disk/disk.ts';
import { decodeRecord } from '../state-machine/records/records.ts';
import { GenerationWatch } from './generation.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { NewSegments, recordsContent } from './new-segments.ts';
import { refuseIfDamaged } from './survey/problems.ts';
import { logDirOf, namesIn } from './survey/segment-files.ts';
import type { SurveyedSegment } from './survey/survey.ts';
import { surveyLog } from './survey/survey-log.ts';
import { emptyTarget, finishTarget, startTarget } from './target.ts';
import { type VerifyOptions, type VerifyReport, verifyLog, verifyLogDir } from './verify.ts';

export interface RestoreReport {
  /** The broker's folder that now holds the log. */
  readonly dir: string;
  /** Leases that were granted before have lower epochs. */
  readonly epoch: number;
  /** Verification of the new log. */
  readonly restored: VerifyReport;
}

export interface RestoreOptions extends VerifyOptions {
  /** Wall-clock time at which the new generation begins. */
  readonly nowMs?: number;
}

/**
 * @param from a folder that `backupLog` made, or a copy of a broker's folder
 * @param dir the new broker's folder; created when missing, and it may hold anything but a log
 * @throws MaintenanceError when `from` holds no log, or `dir` has one
 * @throws LogDamagedError when the backup is damaged; `dir` was not touched then
 * @throws FolderLockedError when a broker serves `dir`; FolderError or StartError when it cannot be used
 */
export async function restoreLog(
  from: string,
  dir: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const { disk = nodeDisk } = options;
  const source = await verifyLog(from, options);
  refuseIfDamaged(source.problems, notRestored);
  await refuseIfThereIsALog(disk, dir);
  const folder = HeldFolder.take(dir);
  try {
    const held = heldDisk(disk, folder);
    // Again, now that no broker can create one.
    await refuseIfThereIsALog(held, folder.dir);
    return await restoreInto(folder.dir, { ...options, disk: held, sourceLogDir: source.logDir });
  } finally {
    folder.release();
  }
}

const notRestored =
  'Nothing was restored. Use another backup, or salvage what is legible in this one.';

async function refuseIfThereIsALog(disk: Disk, dir: string): Promise<void> {
  if ((await namesIn(disk, logDirOf(dir))).length === 0) return;
  throw new MaintenanceError(
    `${dir} has a log already`,
    'Restore into a new folder with --dir <folder>, or move the old one away first.',
  );
}

async function restoreInto(
  dir: string,
  options: RestoreOptions & { readonly disk: Disk; readonly sourceLogDir: string },
): Promise<RestoreReport> {
  const { disk, sourceLogDir, nowMs = Date.now() } = options;
  const unfinished = await startTarget(disk, resolve(dir));
  try {
    const epoch = await makeAnew(disk, { sourceLogDir, target: unfinished, nowMs });
    const restored = await verifyLogDir(unfinished, options);
    refuseIfDamaged(restored.problems, 'What was restored does not pass its checks.');
    await finishTarget(disk, unfinished);
    return { dir, epoch, restored: { ...restored, logDir: logDirOf(dir) } };
  } catch (error) {
    // The first error is the one to report.
    await emptyTarget(disk, unfinished).catch(() => undefined);
    throw error;
  }
}

/**
 * Copies a log batch by batch under a new id. Records keep their bytes and offsets, because they
 * refer to each other by offset. Returns the epoch of the new generation.
 */
async function makeAnew(
  disk: Disk,
  task: { readonly sourceLogDir: string; readonly target: string; readonly nowMs: number },
): Promise<number> {
  const watch = new GenerationWatch();
  const segments = new NewSegments(disk, task.target);
  await surveyLog(disk, task.sourceLogDir, {
    segment: async (segment, { problems }) => {
      refuseIfDamaged(problems, notRestored);
      if (segment.start === null) return;
      if (segments.bytes > 0) await segments.write();
      segments.start(segment.start);
      copyBatches(segment, segments, watch);
    },
  });
  segments.add(recordsContent([watch.nextRecord(task.nowMs)]));
  await segments.finish();
  return watch.nextEpoch;
}

function copyBatches(
  { batches }: SurveyedSegment,
  into: NewSegments,
  watch: GenerationWatch,
): void {
  for (const { header, payload, records } of batches) {
    for (const record of records) watch.see(decodeRecord(record));
    into.add({ kind: header.kind, payload, recordCount: header.recordCount });
  }
}
