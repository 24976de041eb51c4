/** The errors with which recovery refuses to start, for an operator. */

import { dirname, join } from 'node:path';
import { LogDamagedError } from '../contract.ts';
import {
  type BatchHeader,
  type LogCursor,
  logVersion,
  segmentHeaderBytes,
  segmentName,
  summaryName,
} from '../format/format.ts';
import { type ProvenEnd, provenName } from '../format/proven-end.ts';
import type { Segment } from '../format/segment-reader.ts';

export const restoreAdvice =
  'Nothing was changed. See what is damaged with  aiq broker verify ; then restore a backup with ' +
  ' aiq broker restore , or save what is legible with  aiq broker salvage .';

export function wrongVersion({ path }: Segment, version: number): LogDamagedError {
  const advice =
    version < logVersion
      ? 'A development version of aiq wrote it, before the first release. Move the folder away; ' +
        'jobs in it can only be read with that version.'
      : 'Start the version of aiq that wrote it, or a newer one.';
  return new LogDamagedError(
    path,
    4,
    `${path} has log format ${version}; this version of aiq reads format ${logVersion}. ` +
      `Nothing was changed. ${advice}`,
  );
}

/** A segment is renamed into place after its header is durable, so no crash leaves such a file. */
export function headerDamaged(
  { path, number, bytes }: Segment,
  proven: ProvenEnd | null = null,
): LogDamagedError {
  const isCut = bytes.length < segmentHeaderBytes;
  const dir = dirname(path);
  // The summary of the segment before proves that it existed.
  const files = [path, provenPath(dir), join(dir, summaryName(number - 1))];
  const reached = proven === null ? '' : ` (the log had reached record ${proven.offset})`;
  const problem = isCut
    ? `was cut to ${bytes.length} bytes, less than its header has, and its records are lost${reached}`
    : 'the header of this segment is damaged, and jobs may follow it';
  const acceptance = isCut ? ` To accept that loss and start without it:  ${removal(files)}` : '';
  return new LogDamagedError(path, 0, `${path}: ${problem}. ${restoreAdvice}${acceptance}`);
}

/** The end of the log that was found. */
export interface FoundEnd {
  /** The last existing segment, and how many bytes of it are valid. */
  readonly segment: Segment;
  readonly cursor: LogCursor;
  readonly validBytes: number;
  readonly hasSummary: boolean;
}

/**
 * The log ends before its proven end.
 * @param found null when there is no segment
 */
export function endMissing(
  dir: string,
  proven: ProvenEnd,
  found: FoundEnd | null,
): LogDamagedError {
  const { segment, bytes, offset } = proven;
  const isCut = found?.segment.number === segment;
  const path = join(dir, segmentName(segment));
  const missing = Math.max(0, offset - (found === null ? 0 : found.cursor.nextOffset - 1));
  const records = `${missing} ${missing === 1 ? 'record' : 'records'}`;
  const size = isCut ? ` (${bytes - found.validBytes} bytes)` : '';
  const what = isCut
    ? `the log ends at byte ${found.validBytes} of this segment`
    : found === null
      ? 'this segment and all before it are missing'
      : `this segment is missing; the log ends with ${segmentName(found.segment.number)}`;
  const verb = missing === 1 ? 'was safely on disk is' : 'were safely on disk are';
  const stale = [provenPath(dir)];
  // It proves that the next segment existed.
  if (found?.hasSummary) stale.push(join(dir, summaryName(found.segment.number)));
  return new LogDamagedError(
    path,
    isCut ? found.validBytes : 0,
    `${path}: ${what}, and ${records}${size} that ${verb} gone: ${provenPath(dir)} proves that ` +
      `the log reached record ${offset}, accepted jobs among them. ${restoreAdvice} To accept ` +
      `that loss and start with what is left:  ${removal(stale)}`,
  );
}

/** `proven` is of another log than the segments. */
export function notOfThisLog({ path }: Segment): LogDamagedError {
  const proof = provenPath(dirname(path));
  return new LogDamagedError(
    path,
    0,
    `${path} belongs to another log than the one whose end ${proof} proves. Files were mixed up ` +
      `or exchanged. ${restoreAdvice} If these segments are the ones to go on with:  ` +
      removal([proof]),
  );
}

function provenPath(dir: string): string {
  return join(dir, provenName);
}

function removal(paths: readonly string[]): string {
  return `rm -f ${paths.map((path) => `'${path}'`).join(' ')}`;
}

/** A valid header that does not follow the segment before it. */
export function misplaced(
  { path, number }: Segment,
  found: LogCursor,
  before: LogCursor,
): LogDamagedError {
  const problem = isSameLog(found, before)
    ? `is not the continuation of the segment before it (it says: segment ${found.segment}, ` +
      `records from ${found.nextOffset}; expected: segment ${number}, from ${before.nextOffset})`
    : 'belongs to another log';
  return new LogDamagedError(
    path,
    0,
    `${path} ${problem}. Files were mixed up or are missing. ${restoreAdvice}`,
  );
}

export function isSameLog(one: LogCursor, other: LogCursor): boolean {
  return Buffer.from(one.logId).equals(other.logId);
}

export function durableDamaged(
  { path }: Segment,
  { cursor, validBytes }: Pick<FoundEnd, 'cursor' | 'validBytes'>,
): LogDamagedError {
  return new LogDamagedError(
    path,
    validBytes,
    `${path}: damaged at byte ${validBytes}, in records that were safely on disk. Record ` +
      `${cursor.nextOffset} and all later ones may be lost, accepted jobs among them. ` +
      restoreAdvice,
  );
}

export function ambiguouslyDamaged(
  { path }: Segment,
  { cursor, validBytes }: Pick<FoundEnd, 'cursor' | 'validBytes'>,
): LogDamagedError {
  return new LogDamagedError(
    path,
    validBytes,
    `${path}: damaged at byte ${validBytes}, in what was written last. It does not look ` +
      'like a write that a crash cut short, so accepted jobs may be in it: record ' +
      `${cursor.nextOffset} and all later ones may be lost, everything before is intact. Nothing ` +
      'was changed. Restore the log folder from a backup; or accept that loss: keep a copy of ' +
      `the file, then run  truncate -s ${validBytes} '${path}'  and start again.`,
  );
}

/** An intact batch that does not follow the one before it. */
export function logGap(
  segment: Segment,
  atByte: number,
  { sequence, firstOffset }: BatchHeader,
  { nextSequence, nextOffset }: LogCursor,
): LogDamagedError {
  const problem =
    `at byte ${atByte} the log has a gap: found batch ${sequence} with records from ` +
    `${firstOffset}, expected batch ${nextSequence} with records from ${nextOffset}. ` +
    `Accepted jobs may be missing. ${restoreAdvice}`;
  return damagedAt(segment, atByte, problem);
}

export function unknownKind(segment: Segment, atByte: number): LogDamagedError {
  const problem =
    `the batch at byte ${atByte} is of a kind that this version does not know. ` +
    'A newer version of aiq wrote it. Nothing was changed. Start that version, or a newer one.';
  return damagedAt(segment, atByte, problem);
}

/** The checksums match but the content contradicts itself: it was written wrong. */
export function misfit(segment: Segment, atByte: number): LogDamagedError {
  const problem =
    `the records of a batch do not fill it, at byte ${atByte}, though its checksums hold. ` +
    `Accepted jobs may be missing. ${restoreAdvice}`;
  return damagedAt(segment, atByte, problem);
}

/** Damage in what was durable, found while the broker runs. */
export function damagedAfterStart(segment: Segment, atByte: number): LogDamagedError {
  const problem =
    `damaged at byte ${atByte}, in records that were safely on disk. Accepted jobs may be lost. ` +
    restoreAdvice;
  return damagedAt(segment, atByte, problem);
}

function damagedAt({ path }: Segment, atByte: number, problem: string): LogDamagedError {
  return new LogDamagedError(path, atByte, `${path}: ${problem}`);
}
