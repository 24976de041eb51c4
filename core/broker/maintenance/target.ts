/** Target folders for a new log: it is written to `log.unfinished` and renamed when complete. */

import { dirname, join } from 'node:path';
import { type Disk, syncDir, temporarySuffix } from '../log/disk/disk.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { logDirOf, namesIn } from './survey/segment-files.ts';

/** Name of the log's folder while it is written. */
const unfinishedName = 'log.unfinished';
/** The report that salvage writes beside it. */
export const reportName = 'loss-report.txt';

/** Files that an interrupted attempt may have left, and that are overwritten. */
const ownNames = new Set([unfinishedName, reportName, `${reportName}${temporarySuffix}`]);

/**
 * Creates the empty folder for a new log under `dir` and returns it. Files of an interrupted attempt
 * are removed.
 */
export async function startTarget(disk: Disk, dir: string): Promise<string> {
  const unfinished = join(dir, unfinishedName);
  await disk.makeDir(unfinished);
  await emptyTarget(disk, unfinished);
  return unfinished;
}

/** Removes the files in a folder of `startTarget`. */
export async function emptyTarget(disk: Disk, unfinished: string): Promise<void> {
  for (const name of await disk.list(unfinished)) await disk.remove(join(unfinished, name));
}

/** Renames the finished log, durably. */
export async function finishTarget(disk: Disk, unfinished: string): Promise<void> {
  const dir = dirname(unfinished);
  await syncDir(disk, unfinished);
  await disk.rename(unfinished, logDirOf(dir));
  await syncDir(disk, dir);
}

/**
 * @throws MaintenanceError when the folder holds anything but files of an interrupted attempt
 */
export async function refuseUnlessEmpty(disk: Disk, dir: string): Promise<void> {
  const names = (await namesIn(disk, dir)).filter((name) => !ownNames.has(name));
  if (names.length === 0) return;
  throw new MaintenanceError(
    `${dir} is not empty: it holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`,
    'Name a folder that is empty or does not exist yet.',
  );
}
