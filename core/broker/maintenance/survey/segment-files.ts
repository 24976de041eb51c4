/** Lists and reads the segment files of a log that may be damaged. */

import { join } from 'node:path';
import { hasCode } from '../../../base/index.ts';
import type { Disk } from '../../log/disk/disk.ts';
import { type LogCursor, segmentName, segmentNumber } from '../../log/format/format.ts';
import type { Proof } from '../../log/format/proven-end.ts';
import type { Segment } from '../../log/format/segment-reader.ts';
import { readHead, readSegment } from '../../log/recovery/log-files.ts';
import { endMissing } from '../../log/recovery/refusals.ts';
import { MaintenanceError } from '../maintenance-error.ts';

/** A segment file; without bytes when the disk could not read it. */
export interface SegmentFile extends Segment {
  /** The error of the disk; null when the file was read. */
  readonly unreadable: string | null;
}

/** Attempts to read a file on a medium that reports errors. */
const readTriesMax = 2;

/** How Linux names EBADE, EBADMSG and EUCLEAN, which Node has no names for: checksums of a file system failed. */
const checksumErrors = [52, 74, 117].map((errno) => `Unknown system error -${errno}`);
const mediumErrors = new Set(['EIO', 'ENODATA', 'EILSEQ', 'EREMOTEIO', ...checksumErrors]);

/** The folder of the log in a broker's folder. */
export function logDirOf(dir: string): string {
  return join(dir, 'log');
}

/**
 * The numbers of the segments, ascending.
 * @throws LogDamagedError when there is none, though the proof is of one
 * @throws MaintenanceError when there is none otherwise: this is no broker's folder
 */
export async function listSegments(
  disk: Disk,
  logDir: string,
  proof: Proof = { state: 'missing' },
): Promise<number[]> {
  const numbers = (await namesIn(disk, logDir)).map(segmentNumber).filter((n) => n !== null);
  if (numbers.length > 0) return numbers.sort((left, right) => left - right);
  if (proof.state === 'good') throw endMissing(logDir, proof.end, null);
  throw new MaintenanceError(
    `${logDir} holds no segment of a log (0000000001.log and so on)`,
    'Name the folder of a broker, or a backup: the one that holds the folder log.',
  );
}

/** The names in a folder; none when there is no such folder. */
export async function namesIn(disk: Disk, dir: string): Promise<readonly string[]> {
  try {
    return await disk.list(dir);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * Reads a segment; null when the file is missing (compaction removed it).
 * @throws Error on a transient error of the system, which says nothing about the log
 */
export async function readSegmentFile(
  disk: Disk,
  logDir: string,
  number: number,
): Promise<SegmentFile | null> {
  for (let tries = 1; ; tries++) {
    try {
      return { ...(await readSegment(disk, logDir, number)), unreadable: null };
    } catch (error) {
      const unreadable = mediumProblem(error);
      if (unreadable === null) return null;
      if (tries < readTriesMax) continue;
      const path = join(logDir, segmentName(number));
      return { number, path, bytes: new Uint8Array(0), unreadable };
    }
  }
}

/**
 * The reason of an error of the medium; null for a missing file.
 * @throws the error of the disk itself when it is another one: it says nothing about the bytes
 */
export function mediumProblem(error: unknown): string | null {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (isMissing(cause)) return null;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (cause instanceof Error && mediumErrors.has(String(code))) return cause.message;
  throw cause;
}

/** True for the error of a missing file or folder. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}

/** The valid headers of the segments. @throws Error like `readSegmentFile` */
export async function readHeaders(
  disk: Disk,
  logDir: string,
  numbers: readonly number[],
): Promise<LogCursor[]> {
  const headers: LogCursor[] = [];
  for (const number of numbers) {
    try {
      const { header } = await readHead(disk, logDir, number);
      if (header.ok) headers.push(header.cursor);
    } catch (error) {
      // A file that is missing or unreadable is reported when all of it is read.
      mediumProblem(error);
    }
  }
  return headers;
}
