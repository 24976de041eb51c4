/**
 * Reads the log of a folder from its first segment to its last, also while a broker writes it and
 * compaction removes segments. Nothing on the disk is changed.
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LogDamagedError } from '../../log/contract.ts';
import type { Disk } from '../../log/disk/disk.ts';
import { decodeSegmentHeader, segmentName } from '../../log/format/format.ts';
import { provenName, readProof } from '../../log/format/proven-end.ts';
import { asPart, readBatches } from '../../log/format/segment-reader.ts';
import { MaintenanceError } from '../maintenance-error.ts';
import { identifyLog, type LogIdentity } from './log-identity.ts';
import { listSegments, namesIn, readSegmentFile, type SegmentFile } from './segment-files.ts';
import { Survey, type SurveyedSegment } from './survey.ts';

/** Listed segments were removed by a broker that compacts this log: to be read again. */
export class LogChangedError extends Error {
  constructor(logDir: string) {
    super(`${logDir}: a segment was removed while the log was read`);
    this.name = 'LogChangedError';
  }
}

/** Compaction removes one segment at a time and seldom; more in a row mean something else. */
const triesMax = 5;
const tailReadsMax = 5;
const tailWaitMs = 20;

/** The folder's segments as they were at one moment. */
interface Listing {
  readonly disk: Disk;
  readonly logDir: string;
  readonly numbers: readonly number[];
}

/** Receives what `surveyLog` reads. */
export interface LogVisitor {
  /** Called first, with the log's id and log start. */
  begin?(identity: LogIdentity): Promise<void> | void;
  /** Called with each segment in order. */
  segment(segment: SurveyedSegment, survey: Survey): Promise<void> | void;
}

/**
 * Reads all segments in order, as they were when the last of them was read: that one is read first.
 * @throws MaintenanceError when the folder holds no log
 * @throws LogDamagedError when no segment has a valid header
 * @throws LogChangedError when a segment went away meanwhile
 */
export async function surveyLog(disk: Disk, logDir: string, visitor: LogVisitor): Promise<Survey> {
  // First: what it proves is then in the segments, however busy a broker is.
  const proof = await readProof(disk, logDir, await namesIn(disk, logDir));
  const numbers = await listSegments(disk, logDir, proof);
  const listing = { disk, logDir, numbers };
  const last = numbers.at(-1) ?? 1;
  const tail = await readTail(disk, logDir, last);
  if (tail === null) throw new LogChangedError(logDir);
  const identity = await identifyLog(disk, logDir, { numbers, tail });
  if (identity === null) throw unknownLog(listing, tail);
  await visitor.begin?.(identity);
  const survey = new Survey(identity, last);
  let expected = identity.logStart.segment;
  for (const number of numbers.filter((one) => one >= identity.logStart.segment)) {
    const file = number === last ? tail : await readSegmentFile(disk, logDir, number);
    if (file === null || number > expected) await refuseIfChanged(listing);
    if (file === null) throw new LogChangedError(logDir);
    if (number > expected) survey.missing(join(logDir, segmentName(expected)), number - expected);
    const segment = survey.add(file);
    // Before the last one is visited: a copy must know all problems.
    if (number === last && proof.state === 'good') {
      survey.proveEnd(join(logDir, provenName), proof.end, segment.goodUpTo);
    }
    await visitor.segment(segment, survey);
    expected = number + 1;
  }
  return survey;
}

/** @throws LogChangedError when there are other segments now than those listed */
async function refuseIfChanged({ disk, logDir, numbers }: Listing): Promise<void> {
  const now = await listSegments(disk, logDir);
  if (now.join() !== numbers.join()) throw new LogChangedError(logDir);
}

/**
 * Repeats `work`, which reads a log, when compaction removed segments meanwhile.
 * @throws MaintenanceError when that happens too often; otherwise the error of `work`
 */
export async function whileItChanges<Result>(
  logDir: string,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 0; tries < triesMax; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LogChangedError)) throw error;
    }
  }
  throw new MaintenanceError(
    `${logDir}: segments were removed each of the ${triesMax} times that the log was read`,
    'Try again when the broker is less busy, or stop it first: aiq broker stop',
  );
}

/** Reads the segment that a broker may be writing: damage counts only when it does not change. */
async function readTail(disk: Disk, logDir: string, number: number): Promise<SegmentFile | null> {
  let file = await readSegmentFile(disk, logDir, number);
  for (let reads = 1; reads < tailReadsMax; reads++) {
    if (file === null || !hasHole(file)) break;
    await delay(tailWaitMs);
    const again = await readSegmentFile(disk, logDir, number);
    if (again === null) break;
    const same = Buffer.from(again.bytes).equals(file.bytes);
    file = again;
    if (same) break;
  }
  return file;
}

function hasHole(file: SegmentFile): boolean {
  const header = decodeSegmentHeader(file.bytes);
  if (!header.ok) return true;
  return [...readBatches(asPart(file), header.cursor.logId, 0)].some(({ type }) => type === 'hole');
}

function unknownLog({ logDir, numbers }: Listing, { unreadable }: SegmentFile): LogDamagedError {
  const file = join(logDir, segmentName(numbers[0] ?? 1));
  const why = unreadable === null ? '' : ` (the disk could not read it: ${unreadable})`;
  return new LogDamagedError(
    file,
    0,
    `${file}: byte 0: no segment of the log has a valid header${why}. Nothing can be read from ` +
      'it: restore a backup.',
  );
}
