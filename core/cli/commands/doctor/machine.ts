/** Checks of the machine: Node, the clock, and free disk space. */

import { existsSync, lstatSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { brokerFolder, makeFolder } from '../../../base/index.ts';
import { formatAge, formatBytes } from '../../output/format.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** Always ok: `bin/aiq.js` refuses other platforms and older versions. */
export function checkNode(): Check {
  return ok('node', `${process.version} on ${process.platform} ${process.arch}`);
}

/** Files on a network disk may have the time of another machine. */
const clockToleranceMs = 5 * 60_000;

/** Detects a clock that is behind: no file may be from the future. */
export function checkClock(files: readonly string[], now: number = Date.now()): Check {
  const found = new Date(now).toISOString();
  for (const file of files.filter((path) => existsSync(path))) {
    const aheadMs = statSync(file).mtimeMs - now;
    if (aheadMs <= clockToleranceMs) continue;
    const what = `${found}, but ${file} is from ${formatAge(aheadMs)} later`;
    return warn('clock', what, 'Set the clock; with systemd: timedatectl set-ntp true');
  }
  return ok('clock', found);
}

const bytesLow = 1024 ** 3;
/** Above the reserve below which a broker accepts nothing new. */
const bytesTooFew = 64 * 1024 ** 2;

/** @param folder where bytes will be written; it need not be there yet */
export async function checkDisk(name: string, folder: string): Promise<Check> {
  const { bavail, bsize } = await statfs(nearestFolder(folder));
  const free = bavail * bsize;
  const found = `${formatBytes(free)} free for ${folder}`;
  if (free < bytesTooFew) return fail(name, 'broker', found, 'Free some space on that disk.');
  return free < bytesLow ? warn(name, found, 'Free some space on that disk.') : ok(name, found);
}

/** The folder itself, or the nearest one above that is there. */
export function nearestFolder(folder: string): string {
  const parent = dirname(folder);
  return existsSync(folder) || parent === folder ? folder : nearestFolder(parent);
}

/**
 * Makes nothing, and throws where `folder` could not be made because a file or a dangling link is
 * in its way.
 * @throws FolderError
 */
export function refuseObstacle(folder: string): void {
  let at = folder;
  while (lstatSync(at, { throwIfNoEntry: false }) === undefined) at = dirname(at);
  // What has the name is there already: it is a folder, or it is refused.
  makeFolder(at);
}

/** Files with a recent time: the package, the configuration and the broker's endpoints. */
export function datedFiles(packageRoot: string, config: string | null, broker: string): string[] {
  const folder = brokerFolder(broker);
  return [
    join(packageRoot, 'package.json'),
    ...(config === null ? [] : [config]),
    ...(folder === null ? [] : [join(folder, 'endpoints.json')]),
  ];
}
