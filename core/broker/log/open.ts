/**
 * Opens the log: recovers what is there, brings the disk into a state that is known to be on the
 * medium, and hands over to the writer. A crash at any point in here changes nothing for the next
 * opening.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Batch } from './batch.ts';
import type { Log, LogOptions, RecoveryReport } from './contract.ts';
import { type Disk, type DiskFile, nodeDisk, placeFile, writeAll } from './disk.ts';
import { batchFrameBytes, type LogCursor, segmentName } from './format.ts';
import { SegmentLog } from './log.ts';
import { type RecoveredLog, recover } from './recover.ts';
import type { Replay } from './scan.ts';

const segmentBytesMaxLimit = 1024 * 1024 * 1024;
const markIdleMsDefault = 50;
const quarantineDir = 'quarantine';

export interface OpenLogOptions extends LogOptions {
  /** Stands in for the disk in tests and simulation. */
  readonly disk?: Disk;
  /** Idle time after a commit before a mark proves it durable. */
  readonly markIdleMs?: number;
}

/**
 * Replays every record in order, then returns the log, ready to append. Only one process may have
 * a folder's log open; the caller sees to that.
 *
 * A record given to `replay` is a view: copy what must outlive the call. What `replay` throws
 * ends the opening.
 * @throws LogDamagedError when starting could lose accepted jobs; nothing was changed then
 * @throws Error when the disk fails; opening again is safe
 */
export async function openLog(
  options: OpenLogOptions,
  replay: Replay,
): Promise<{ log: Log; report: RecoveryReport }> {
  const { dir, segmentBytesMax, disk = nodeDisk, markIdleMs = markIdleMsDefault } = options;
  if (!(segmentBytesMax > 0 && segmentBytesMax <= segmentBytesMaxLimit)) {
    throw new RangeError(
      `segmentBytesMax is ${segmentBytesMax}; it must lie between 1 and ${segmentBytesMaxLimit}`,
    );
  }
  await disk.makeDir(dir);
  const recovered = await recover(disk, dir, replay);
  const tornTail = await keepTornTail(disk, dir, recovered);
  const clean = recovered.lastKind === 'cleanMark' && recovered.torn === null;
  const tail = clean
    ? await continueTail(disk, dir, recovered)
    : await rewriteTail(disk, dir, recovered);
  const log = new SegmentLog({
    ...options,
    disk,
    markIdleMs,
    file: tail.file,
    cursor: tail.cursor,
    segmentBytes: tail.bytes,
    sealedBytes: recovered.sealedBytes,
  });
  const isNew = recovered.segments === 0;
  const report = {
    segments: recovered.segments,
    records: recovered.cursor.nextOffset - 1,
    bytes: isNew ? 0 : recovered.sealedBytes + recovered.tail.length,
    clean: clean || isNew,
    tornTail,
  };
  return { log, report };
}

/** The last segment, open, with all of it on the medium. */
interface OpenTail {
  readonly file: DiskFile;
  readonly cursor: LogCursor;
  readonly bytes: number;
}

/** Copies what will be cut off into the quarantine folder, durably, before anything is cut. */
async function keepTornTail(
  disk: Disk,
  dir: string,
  { cursor, torn }: RecoveredLog,
): Promise<RecoveryReport['tornTail']> {
  if (torn === null) return null;
  const segment = segmentName(cursor.segment);
  // Named by place and content: recovering again after a crash makes the same file again.
  const contentId = crc32(torn.bytes).toString(16).padStart(8, '0');
  const name = `${segment}.at-${torn.atByte}.crc-${contentId}`;
  const quarantine = join(dir, quarantineDir);
  await disk.makeDir(quarantine);
  const file = await placeFile(disk, quarantine, name, [torn.bytes]);
  await file.close();
  const keptAs = join(quarantine, name);
  return { segment, atByte: torn.atByte, bytes: torn.bytes.length, keptAs };
}

/**
 * After a clean close the log goes on behind the clean mark. The mark is written again in place,
 * the same bytes: had its fdatasync failed, they could be in the page cache only, marked clean.
 */
async function continueTail(
  disk: Disk,
  dir: string,
  { cursor, tail }: RecoveredLog,
): Promise<OpenTail> {
  const file = await disk.open(join(dir, segmentName(cursor.segment)));
  const markAt = tail.length - batchFrameBytes;
  try {
    await writeAll(file, [tail.subarray(markAt)], markAt);
    await file.datasync();
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  return { file, cursor, bytes: tail.length };
}

/**
 * After any other end the good bytes of the last segment are written out again, with a mark behind
 * them, and the file replaced as a whole. That cuts a torn tail off, and it makes true what was
 * read: after a failed fdatasync the page cache can show bytes that the medium never got.
 */
async function rewriteTail(disk: Disk, dir: string, recovered: RecoveredLog): Promise<OpenTail> {
  const name = segmentName(recovered.cursor.segment);
  const { cursor, content } = withMark(recovered);
  const file = await placeFile(disk, dir, name, content);
  return { file, cursor, bytes: content.reduce((sum, part) => sum + part.length, 0) };
}

/** One mark is enough, so that recovering again after a crash makes the same file. */
function withMark({ cursor, tail, lastKind }: RecoveredLog): {
  cursor: LogCursor;
  content: Uint8Array[];
} {
  if (lastKind === 'mark') return { cursor, content: [tail] };
  const durable = { offset: cursor.nextOffset - 1, sequence: cursor.nextSequence - 1 };
  const mark = new Batch('mark', 0).seal(cursor, durable);
  return { cursor: mark.cursor, content: [tail, mark.bytes] };
}
