/**
 * Reopens the last segment for writing, with all its bytes known to be on the medium. What recovery
 * read need not be: after a failed fdatasync the page cache can show bytes that the disk never got.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { RecoveryReport } from '../contract.ts';
import {
  createFile,
  type Disk,
  type DiskFile,
  NotCreatedError,
  replaceFile,
  syncDir,
  writeAll,
} from '../disk/disk.ts';
import { batchFrameBytes, type LogCursor, segmentName } from '../format/format.ts';
import { Batch } from '../write/batch.ts';
import { durablePoint } from '../write/tail-writer.ts';
import type { RecoveredLog } from './recover.ts';

const quarantineDir = 'quarantine';

/** The last segment, open, with all of it on the medium. */
export interface OpenTail {
  readonly file: DiskFile;
  readonly cursor: LogCursor;
  readonly bytes: number;
}

/**
 * Copies the torn tail into the quarantine folder, durably, before it is cut off. On a full disk it
 * is cut off without a copy: none of it was ever acknowledged.
 */
export async function keepTornTail(
  disk: Disk,
  dir: string,
  { cursor, torn }: RecoveredLog,
): Promise<RecoveryReport['tornTail']> {
  if (torn === null) return null;
  const segment = segmentName(cursor.segment);
  // Named by position and content, so that a recovery after a crash writes the same file.
  const contentId = crc32(torn.bytes).toString(16).padStart(8, '0');
  const name = `${segment}.at-${torn.atByte}.crc-${contentId}`;
  const quarantine = join(dir, quarantineDir);
  const tornTail = { segment, atByte: torn.atByte, bytes: torn.bytes.length };
  try {
    await makeQuarantine(disk, quarantine);
    const file = await replaceFile(disk, quarantine, name, [torn.bytes]);
    await file.close();
  } catch (error) {
    if (!(error instanceof NotCreatedError)) throw error;
    return { ...tornTail, keptAs: null };
  }
  return { ...tornTail, keptAs: join(quarantine, name) };
}

async function makeQuarantine(disk: Disk, path: string): Promise<void> {
  try {
    await disk.makeDir(path);
  } catch (error) {
    throw new NotCreatedError(path, error);
  }
}

/**
 * After a clean close the log continues behind the clean mark. Only the mark is written again, in
 * place: everything before it had its own fdatasync.
 */
export async function continueTail(
  disk: Disk,
  dir: string,
  { cursor, tail }: RecoveredLog,
): Promise<OpenTail> {
  return await writeInPlace(disk, dir, {
    cursor,
    from: tail.length - batchFrameBytes,
    bytes: tail.length,
    content: [tail.subarray(tail.length - batchFrameBytes)],
  });
}

/**
 * After any other end the valid bytes of the last segment are rewritten to a new file, with a mark at
 * the end, which replaces the old one. That also cuts off a torn tail.
 */
export async function rewriteTail(
  disk: Disk,
  dir: string,
  recovered: RecoveredLog,
): Promise<OpenTail> {
  const name = segmentName(recovered.cursor.segment);
  const { cursor, content, bytes } = withMark(recovered);
  const write = recovered.isNew ? createFile : replaceFile;
  const file = await write(disk, dir, name, content);
  return { file, cursor, bytes };
}

/**
 * The same without space for a second copy: the valid bytes are rewritten in place. A crash in between
 * leaves a mix of old and new sectors, which are equal where the old ones were on the medium. The mark
 * comes after the sync, because it proves that everything before it is on the medium.
 */
export async function rewriteTailInPlace(
  disk: Disk,
  dir: string,
  recovered: RecoveredLog,
): Promise<OpenTail> {
  const { tail, cursor } = recovered;
  const written = { cursor, bytes: tail.length, from: 0, content: [tail] };
  const { file } = await writeInPlace(disk, dir, written);
  const marked = withMark(recovered);
  if (marked.bytes === tail.length) return { file, cursor, bytes: tail.length };
  try {
    await writeAll(file, marked.content.slice(1), tail.length);
    await file.datasync();
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  return { file, cursor: marked.cursor, bytes: marked.bytes };
}

async function writeInPlace(
  disk: Disk,
  dir: string,
  tail: Omit<OpenTail, 'file'> & { from: number; content: readonly Uint8Array[] },
): Promise<OpenTail> {
  const file = await disk.open(join(dir, segmentName(tail.cursor.segment)));
  try {
    await file.truncate(Math.min(await file.size(), tail.bytes));
    await writeAll(file, tail.content, tail.from);
    await file.datasync();
    // Its name may not be durable: an earlier start may have replaced the file and failed then.
    await syncDir(disk, dir);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  return { file, cursor: tail.cursor, bytes: tail.bytes };
}

/** Adds a mark unless there is one, so that a recovery after a crash writes the same file. */
function withMark({ cursor, tail, lastKind }: RecoveredLog): {
  cursor: LogCursor;
  content: Uint8Array[];
  bytes: number;
} {
  if (lastKind === 'mark') return { cursor, content: [tail], bytes: tail.length };
  const mark = Batch.mark('mark', cursor.nextOffset).seal(cursor, durablePoint(cursor));
  const content = [tail, mark.bytes];
  return { cursor: mark.cursor, content, bytes: tail.length + mark.bytes.length };
}
