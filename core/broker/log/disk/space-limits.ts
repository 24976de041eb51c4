/** Sizes and thresholds that depend on the size of the disk. */

const kiB = 1024;
const miB = 1024 * kiB;

/** Size and free space of the file system of a folder. */
export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Free inodes; infinite where the file system has no limit. */
  readonly freeFiles: number;
}

export interface SpaceLimits {
  /** Size at which segments are rotated. */
  readonly segmentBytesMax: number;
  /** Size of the file that is deleted in full mode. */
  readonly ballastBytes: number;
  /** Free bytes below which full mode begins. */
  readonly lowBytes: number;
  /** Free bytes above which full mode ends. */
  readonly highBytes: number;
}

/**
 * Computed from the total size alone: if they shrank with the free space, a restart in full mode
 * would accept work again and use up the reserve.
 *
 * - A segment is at most 1/16 of the disk (at least 256 KiB, or compaction would never come to rest): the
 *   oldest and the newest one are always there, and compaction frees space by whole segments.
 * - The low mark leaves space to rewrite the last segment, as a start after a crash does, and a
 *   quarter on top (at least 64 KiB) for the copy of a torn tail, a summary, a new segment's header,
 *   and overhead of the file system.
 * - The ballast is the space for settles in full mode: the results of the leases that existed when it
 *   began. Nothing is delivered then, so their number is bounded. 16 MiB, or 1/32 of the disk.
 * - The high mark has space for the ballast and half a segment of new work above the low mark, so
 *   that the broker does not flap.
 *
 * @param segmentBytesWanted as configured
 */
export function spaceLimits(
  { totalBytes }: Pick<DiskSpace, 'totalBytes'>,
  segmentBytesWanted: number,
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
 * The same marks for inodes, which the next segment, its summary, the history and SQLite need.
 */
export const lowFiles = 8;
export const highFiles = 16;

/** Whether the error means a full disk or an exhausted quota. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}
