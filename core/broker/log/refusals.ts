/** Why recovery refuses to start, in words for an operator. */

import { LogDamagedError } from './contract.ts';
import { type LogCursor, logVersion } from './format.ts';
import { restoreAdvice, type Segment, type SegmentScan } from './scan.ts';

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

export function headerDamaged({ path }: Segment): LogDamagedError {
  return new LogDamagedError(
    path,
    0,
    `${path}: the header of this segment is damaged, and jobs may follow it. ${restoreAdvice}`,
  );
}

/** A good header in the wrong place. */
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
  { cursor, validBytes }: SegmentScan,
): LogDamagedError {
  return new LogDamagedError(
    path,
    validBytes,
    `${path}: damaged at byte ${validBytes}, in records that were safely on disk. Record ` +
      `${cursor.nextOffset} and all later ones are at stake, accepted jobs among them. ` +
      restoreAdvice,
  );
}

export function ambiguouslyDamaged(
  { path }: Segment,
  { cursor, validBytes }: SegmentScan,
): LogDamagedError {
  return new LogDamagedError(
    path,
    validBytes,
    `${path}: damaged at byte ${validBytes}, in what was written last. It does not look ` +
      'like a write that a crash cut short, so accepted jobs may be in it: record ' +
      `${cursor.nextOffset} and what follows are at stake, everything before is intact. Nothing ` +
      'was changed. Restore the log folder from a backup; or accept that loss: keep a copy of ' +
      `the file, then run  truncate -s ${validBytes} '${path}'  and start again.`,
  );
}
