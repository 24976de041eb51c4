/** What must hold of a log at which nobody works any more. */

/** A log and what of it is needed, as the broker counts both. */
export interface LogAtRest {
  /** Of each segment, oldest first. */
  readonly segmentBytes: readonly number[];
  /** At which size segments are closed; a batch that was begun is written whole. */
  readonly segmentBytesMax: number;
  readonly liveBytes: number;
  /** False while compaction writes or frees something. */
  readonly isAtRest: boolean;
}

/** Says what is wrong with a log that had time to come to rest; null when nothing is. */
export function problemOfLogAtRest(log: LogAtRest): string | null {
  const { segmentBytes, segmentBytesMax, liveBytes, isAtRest } = log;
  if (!isAtRest) return 'compaction is still at work, though nobody asks for anything';
  const bytes = segmentBytes.reduce((sum, some) => sum + some, 0);
  const most = 2 * liveBytes + 2 * Math.max(segmentBytesMax, ...segmentBytes);
  if (bytes <= most) return null;
  return `the log has ${bytes} bytes at rest; with ${liveBytes} alive at most ${most} are right`;
}
