/** New folders for logs: made beside their place and moved there whole, so that half of one is never taken for a log. */

import { dirname, join } from 'node:path';
import { type Disk, syncDir, temporarySuffix } from '../log/disk.ts';
import { logDirOf, namesIn } from './folder.ts';
import { MaintenanceError } from './maintenance-error.ts';

/** Where a log is while it is made. */
const unfinishedName = 'log.unfinished';
/** What salvaging puts beside it. */
export const reportNames = { json: 'loss-report.json', text: 'loss-report.txt' } as const;

/** What an attempt that was cut short may have left: it is written anew. */
const ownNames = new Set([
  unfinishedName,
  ...Object.values(reportNames).flatMap((name) => [name, `${name}${temporarySuffix}`]),
]);

/**
 * Makes room for a new log under `dir`, and returns the folder to write it into. What an attempt
 * that was cut short left there is removed.
 */
export async function startTarget(disk: Disk, dir: string): Promise<string> {
  const unfinished = join(dir, unfinishedName);
  await disk.makeDir(unfinished);
  await emptyTarget(disk, unfinished);
  return unfinished;
}

/** Removes the files in a folder that `startTarget` made. */
export async function emptyTarget(disk: Disk, unfinished: string): Promise<void> {
  for (const name of await disk.list(unfinished)) await disk.remove(join(unfinished, name));
}

/** Moves the finished log to its place, durably. */
export async function finishTarget(disk: Disk, unfinished: string): Promise<void> {
  const dir = dirname(unfinished);
  await syncDir(disk, unfinished);
  await disk.rename(unfinished, logDirOf(dir));
  await syncDir(disk, dir);
}

/**
 * @throws MaintenanceError when the folder holds anything but the rest of an attempt that was cut short
 */
export async function refuseUnlessEmpty(disk: Disk, dir: string): Promise<void> {
  const names = (await namesIn(disk, dir)).filter((name) => !ownNames.has(name));
  if (names.length === 0) return;
  throw new MaintenanceError(
    `${dir} is not empty: it holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`,
    'Name a folder that is empty or does not exist yet.',
  );
}
