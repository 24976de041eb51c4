/**
 * Reads the log of a folder from its first segment to its last, also while a broker writes it and
 * compaction removes segments. Nothing on the disk is changed.
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LogDamagedError } from '../log/contract.ts';
import type { Disk } from '../log/disk.ts';
import { decodeSegmentHeader, segmentName } from '../log/format.ts';
import { provenName, readProof } from '../log/proven-end.ts';
import { asPart, readBatches } from '../log/segment-reader.ts';
import { listSegments, namesIn, readSegment, type SegmentFile } from './folder.ts';
import { identifyLog, type LogIdentity } from './log-identity.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { Survey, type SurveyedSegment } from './survey.ts';

/** Segments that were listed are gone: a broker compacts this log. Reading it again is the answer. */
export class LogChangedError extends Error {
  constructor(logDir: string) {
    super(`${logDir}: a segment was removed while the log was read`);
    this.name = 'LogChangedError';
  }
}

/** Compaction removes one segment at a time and seldom; so many times in a row means something else. */
const triesMax = 5;
const tailReadsMax = 5;
const tailWaitMs = 20;

/** The folder's segments as they were at one moment. */
interface Listing {
  readonly disk: Disk;
  readonly logDir: string;
  readonly numbers: readonly number[];
}

/** What reading a log wants to be told. */
export interface LogVisitor {
  /** Told first, when the log's id and the offset up to which it was said again are known. */
  begin?(identity: LogIdentity): Promise<void> | void;
  /** Gets each segment in order with what is good in it. */
  segment(segment: SurveyedSegment, survey: Survey): Promise<void> | void;
}

/**
 * Reads all segments in order, as they were when the last of them was read: that one is read first.
 * @throws MaintenanceError when the folder holds no log
 * @throws LogDamagedError when not one header or batch is legible
 * @throws LogChangedError when a segment went away meanwhile
 */
export async function surveyLog(disk: Disk, logDir: string, visitor: LogVisitor): Promise<Survey> {
  // First: what it proves is in the segments by then, however busy a broker is.
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
    const file = number === last ? tail : await readSegment(disk, logDir, number);
    if (file === null || number > expected) await refuseIfChanged(listing);
    if (file === null) throw new LogChangedError(logDir);
    if (number > expected) survey.missing(join(logDir, segmentName(expected)), number - expected);
    const segment = survey.take(file);
    // Before the last one is handed over: whoever copies must know of everything that is wrong.
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
 * Does `work`, which reads a log, again when compaction got in between.
 * @throws MaintenanceError when that happens too often; whatever `work` throws otherwise
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

/** The segment that a broker may be writing: damage counts only when it stays as it is. */
async function readTail(disk: Disk, logDir: string, number: number): Promise<SegmentFile | null> {
  let file = await readSegment(disk, logDir, number);
  for (let reads = 1; reads < tailReadsMax; reads++) {
    if (file === null || !hasHole(file)) break;
    await delay(tailWaitMs);
    const again = await readSegment(disk, logDir, number);
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
  const why = unreadable.map(({ reason }) => ` (the disk could not read it: ${reason})`)[0] ?? '';
  return new LogDamagedError(
    file,
    0,
    `${file}: byte 0: no segment of the log has a legible header or batch${why}. Nothing can be ` +
      'read from it: only a backup helps.',
  );
}
