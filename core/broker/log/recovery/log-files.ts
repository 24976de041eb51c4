/** Lists and reads the files in the log's folder. */

import { join } from 'node:path';
import { LogDamagedError } from '../contract.ts';
import { type Disk, temporarySuffix } from '../disk/disk.ts';
import {
  decodeSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
  summaryName,
  summaryNumber,
} from '../format/format.ts';
import { provenName } from '../format/proven-end.ts';
import type { Segment } from '../format/segment-reader.ts';
import { decodeSummary, type Summary } from '../format/summary-format.ts';
import { restoreAdvice } from './refusals.ts';

export interface LogFiles {
  /** All names in the folder. */
  readonly names: readonly string[];
  /** Numbers of the segments, ascending. */
  readonly segments: readonly number[];
  readonly summaries: ReadonlySet<number>;
  /** Names of temporary files that a crash left. */
  readonly temporary: readonly string[];
}

export async function listLogFiles(disk: Disk, dir: string): Promise<LogFiles> {
  const names = await disk.list(dir);
  return {
    names,
    segments: names
      .map(segmentNumber)
      .filter((number) => number !== null)
      .sort(ascending),
    summaries: new Set(names.map(summaryNumber).filter((number) => number !== null)),
    temporary: names.filter(isTemporary),
  };
}

function ascending(left: number, right: number): number {
  return left - right;
}

function isTemporary(name: string): boolean {
  if (!name.endsWith(temporarySuffix)) return false;
  const target = name.slice(0, -temporarySuffix.length);
  return segmentNumber(target) !== null || summaryNumber(target) !== null || target === provenName;
}

/**
 * Checks that segments from `first` on have consecutive numbers. A summary is written once the next
 * segment exists, so it proves that one.
 * @throws LogDamagedError when a segment is missing
 */
export function checkNoneMissing(dir: string, files: LogFiles, first: number): void {
  const found = new Set(files.segments);
  const last = Math.max(...files.segments, ...[...files.summaries].map((number) => number + 1));
  for (let number = first; number <= last; number++) {
    if (found.has(number)) continue;
    const path = join(dir, segmentName(number));
    throw new LogDamagedError(
      path,
      0,
      `${path} is missing, though other files of the log prove that it existed. Its jobs may be ` +
        `lost. ${restoreAdvice}`,
    );
  }
}

/** @throws Error naming the segment when the disk cannot read it */
export async function readSegment(disk: Disk, dir: string, number: number): Promise<Segment> {
  const path = join(dir, segmentName(number));
  try {
    return { path, number, bytes: await disk.readFile(path) };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Header and size of a segment. */
export interface SegmentHead {
  readonly bytes: number;
  readonly header: SegmentHeader;
}

/** @throws Error naming the segment when the disk cannot read it */
export async function readHead(disk: Disk, dir: string, number: number): Promise<SegmentHead> {
  const path = join(dir, segmentName(number));
  try {
    const file = await disk.openForReading(path);
    try {
      const header = Buffer.alloc(segmentHeaderBytes);
      const filled = await file.read(header, 0);
      return {
        bytes: await file.size(),
        header: decodeSegmentHeader(header.subarray(0, filled)),
      };
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Null when it is missing, unreadable or damaged: the segment holds the same. */
export async function readSummary(
  disk: Disk,
  dir: string,
  number: number,
): Promise<Summary | null> {
  const bytes = await disk.readFile(join(dir, summaryName(number))).catch(() => null);
  return bytes === null ? null : decodeSummary(bytes);
}

function unreadable(path: string, cause: unknown): Error {
  return new Error(
    `${path}: the disk could not read this segment of the log (${String(cause)}). Nothing was ` +
      'changed. Check the disk, or restore the log folder from a backup.',
    { cause },
  );
}
