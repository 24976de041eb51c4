/**
 * Opens the log: recovers it, makes the recovered state durable, and returns it ready to append. A
 * crash at any point in here changes nothing for the next opening.
 */

import { join } from 'node:path';
import type { Log, LogOptions, RecoveryReport, Replay } from './contract.ts';
import { removeBallast } from './disk/ballast.ts';
import { type Disk, NotCreatedError, nodeDisk, syncDir } from './disk/disk.ts';
import { openProof, type ProvenEnd } from './format/proven-end.ts';
import { SegmentLog } from './log.ts';
import { type RecoveredLog, recover } from './recovery/recover.ts';
import {
  continueTail,
  keepTornTail,
  type OpenTail,
  rewriteTail,
  rewriteTailInPlace,
} from './recovery/tail.ts';
import { eventLoop } from './scheduler.ts';
import { SegmentTable, TailSegment } from './segments.ts';

const segmentBytesMaxLimit = 1024 * 1024 * 1024;
const markIdleMsDefault = 50;
const summaryQuietMsDefault = 200;
const cacheBytesMaxDefault = 4 * 1024 * 1024;

export interface OpenLogOptions extends LogOptions {
  /** Idle time after a commit before a mark proves it durable. */
  readonly markIdleMs?: number;
  /** Bytes of memory for cached batches, just written or read. Default: 4 MiB. */
  readonly cacheBytesMax?: number;
  /** Time without a commit before summaries are made, unless several segments wait for theirs. */
  readonly summaryQuietMs?: number;
}

/**
 * Replays every record in order, then returns the log, ready to append. The caller ensures that only
 * one process has a folder's log open.
 *
 * A record given to `replay` is a view: copy what must outlive the call. An exception of `replay` is
 * passed on.
 * @throws LogDamagedError when starting could lose accepted jobs; nothing was changed then
 * @throws Error when the disk fails; opening again is safe
 */
export async function openLog(
  options: OpenLogOptions,
  replay: Replay,
): Promise<{ log: Log; report: RecoveryReport }> {
  const { dir, segmentBytesMax, disk = nodeDisk, scheduler = eventLoop } = options;
  const { markIdleMs = markIdleMsDefault, cacheBytesMax = cacheBytesMaxDefault } = options;
  const { summaryQuietMs = summaryQuietMsDefault } = options;
  if (!(segmentBytesMax > 0 && segmentBytesMax <= segmentBytesMaxLimit)) {
    throw new RangeError(
      `segmentBytesMax is ${segmentBytesMax}; it must lie between 1 and ${segmentBytesMaxLimit}`,
    );
  }
  await disk.makeDir(dir);
  const recovered = await recover(disk, dir, replay);
  const clean = recovered.lastKind === 'cleanMark' && recovered.torn === null;
  const tornTail = await keepTornTail(disk, dir, recovered);
  const tail = clean
    ? await continueTail(disk, dir, recovered)
    : await prepareTail(disk, dir, recovered);
  const proof = await openProof(disk, dir, provenEnd(tail), recovered.proof);
  await removeLeftovers(disk, dir, recovered.leftovers);
  const segments = segmentTable(recovered, tail);
  const { file, cursor } = tail;
  const resolved = { ...options, disk, scheduler, markIdleMs, cacheBytesMax, summaryQuietMs };
  const log = new SegmentLog({ ...resolved, segments, file, cursor, proof });
  return { log, report: reportOf(recovered, { clean, tornTail }) };
}

/**
 * Rewrites the last segment. Without space for a second copy the ballast is deleted first; where that
 * is not enough (a quota), the segment is rewritten in place.
 */
async function prepareTail(disk: Disk, dir: string, recovered: RecoveredLog): Promise<OpenTail> {
  for (const makeRoom of [async () => true, () => removeBallast(disk, dir)]) {
    if (!(await makeRoom())) break;
    try {
      return await rewriteTail(disk, dir, recovered);
    } catch (error) {
      // A new log has no segment to rewrite in place.
      if (!(error instanceof NotCreatedError) || recovered.isNew) throw error;
    }
  }
  return await rewriteTailInPlace(disk, dir, recovered);
}

/**
 * Only after the tail is prepared: before, these files were evidence, or the log start was not
 * durable. A temporary name may have been reused meanwhile.
 */
async function removeLeftovers(disk: Disk, dir: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const there = new Set(await disk.list(dir));
  for (const name of names) {
    if (there.has(name)) await disk.remove(join(dir, name));
  }
  await syncDir(disk, dir);
}

function provenEnd({ cursor, bytes }: OpenTail): ProvenEnd {
  const { logId, segment, nextOffset } = cursor;
  return { logId, segment, bytes, offset: nextOffset - 1 };
}

function segmentTable(recovered: RecoveredLog, { cursor, bytes }: OpenTail): SegmentTable {
  const { sealed, before, firstOffset, index } = recovered;
  const number = cursor.segment;
  const lastOffset = cursor.nextOffset - 1;
  const tail = { number, before, firstOffset, lastOffset, index, bytes };
  return new SegmentTable(sealed, new TailSegment(tail));
}

function reportOf(
  { isNew, sealed, records, summaries, tail, proof }: RecoveredLog,
  { clean, tornTail }: Pick<RecoveryReport, 'clean' | 'tornTail'>,
): RecoveryReport {
  const bytes = sealed.reduce((sum, segment) => sum + segment.bytes, tail.length);
  return {
    segments: isNew ? 0 : sealed.length + 1,
    records,
    summaries,
    bytes: isNew ? 0 : bytes,
    clean: clean || isNew,
    proof: isNew ? 'good' : proof.state,
    tornTail,
  };
}
