/** The log of a broker's folder as files: which segments there are, and their bytes. */

import { join } from 'node:path';
import type { Disk } from '../log/disk.ts';
import {
  decodeSegmentHeader,
  type LogCursor,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from '../log/format.ts';
import type { Proof } from '../log/proven-end.ts';
import { endMissing } from '../log/refusals.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { mediumProblem, readAround, type UnreadableBytes } from './read-around.ts';

/** A segment file, whole. */
export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly bytes: Uint8Array;
  /** What of it the disk could not read. */
  readonly unreadable: readonly UnreadableBytes[];
}

/** Where a broker's folder has its log. */
export function logDirOf(dir: string): string {
  return join(dir, 'log');
}

/**
 * The numbers of the segments, ascending.
 * @throws LogDamagedError when there is none, though the proof says that there was
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
 * Reads a segment, as far as the disk gives it; null when the file is gone (compaction removed it).
 * @throws Error when the system could not read it just now: that says nothing about the log
 */
export async function readSegment(
  disk: Disk,
  logDir: string,
  number: number,
): Promise<SegmentFile | null> {
  const path = join(logDir, segmentName(number));
  try {
    return { number, path, bytes: await disk.readFile(path), unreadable: [] };
  } catch (error) {
    if (isMissing(error)) return null;
    mediumProblem(error);
    return { number, path, ...(await readAround(disk, path)) };
  }
}

/** True for the error of a file or folder that is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The headers of the segments, as far as they are legible. */
export async function readHeaders(
  disk: Disk,
  logDir: string,
  numbers: readonly number[],
): Promise<LogCursor[]> {
  const headers: LogCursor[] = [];
  for (const number of numbers) {
    const bytes = await readStart(disk, join(logDir, segmentName(number)), segmentHeaderBytes);
    const header = decodeSegmentHeader(bytes);
    if (header.ok) headers.push(header.cursor);
  }
  return headers;
}

/**
 * The first bytes of a file; none when it is gone or the medium fails: reading all of it will tell.
 * @throws Error like `readSegment`
 */
async function readStart(disk: Disk, path: string, bytes: number): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  try {
    const file = await disk.openForReading(path);
    try {
      return into.subarray(0, await file.read(into, 0));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isMissing(error)) mediumProblem(error);
    return into.subarray(0, 0);
  }
}
