/** How much of a file system the log claims, and how much it leaves. */

import type { DiskSpace } from './disk.ts';

const kiB = 1024;
const miB = 1024 * kiB;

export interface SpaceLimits {
  /** Segments are closed at this size. */
  readonly segmentBytesMax: number;
  /** Size of the file that is given up when space runs out. */
  readonly ballastBytes: number;
  /** Below this many free bytes the broker is in full mode. */
  readonly lowBytes: number;
  /** Above this many it leaves that mode. */
  readonly highBytes: number;
}

/**
 * All sizes that depend on the disk. They follow from its total size alone: were they to shrink
 * with the free space, a restart in full mode would take up work again and eat the reserve.
 *
 * - A segment is at most 1/16 of the disk (but 256 KiB, or compaction would never rest): the
 *   oldest and the newest one are always there, and compaction frees space by whole segments.
 * - The low mark leaves room to write the last segment out once more, which is what a start after
 *   a crash does, and a quarter on top (at least 64 KiB) for a torn tail kept aside, a summary, a
 *   new segment's header, and what the file system adds.
 * - The ballast is what settles live on in full mode: the results of the leases that were out when
 *   it began. Nothing is delivered then, so their number is bounded. 16 MiB, or 1/32 of the disk.
 * - The high mark has room to make the ballast again and half a segment of new work above the low
 *   mark, so that the broker does not swing in and out.
 *
 * @param segmentBytesWanted as configured
 */
export function spaceLimits(
  { totalBytes }: Pick<DiskSpace, 'totalBytes'>,
  segmentBytesWanted: number = 64 * miB,
): SpaceLimits {
  const share = (part: number, leastBytes: number) =>
    Math.max(leastBytes, Math.floor(totalBytes / part));
  const segmentBytesMax = Math.min(segmentBytesWanted, share(16, 256 * kiB));
  const ballastBytes = Math.min(16 * miB, share(32, 128 * kiB));
  const lowBytes = segmentBytesMax + Math.max(64 * kiB, Math.ceil(segmentBytesMax / 4));
  const highBytes = lowBytes + ballastBytes + Math.ceil(segmentBytesMax / 2);
  return { segmentBytesMax, ballastBytes, lowBytes, highBytes };
}

/**
 * Files (inodes) that must be free: the next segment, its summary, what the history and SQLite make
 * beside them. Between the marks nothing changes, as with bytes.
 */
export const lowFiles = 8;
export const highFiles = 16;

/** Whether the disk, or our share of it, has no room left. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}
