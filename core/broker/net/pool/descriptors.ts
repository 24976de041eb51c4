/** Limits connections by the number of files that this process may open. */

import { readFileSync } from 'node:fs';

/**
 * Reserved for everything but connections: threads, event loops, lock, history and listeners use some
 * 60, the log at most 40 more (segments read, written, created and summarized), connections being
 * refused 64 (`refusalsMax` of each transport).
 */
const reservedFiles = 192;
/** Fewer would not serve even one folder's clients. */
const connectionsMin = 8;

/** Soft limit of open files; infinite where it is unknown. */
export function openFilesMax(limits: string = readLimits()): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Connections that leave enough files to the log, at most `wanted`. A fifth stays free, because
 * unauthenticated connections of one transport, a quarter of these, come on top.
 */
export function connectionsWithin(filesMax: number, wanted: number): number {
  const most = Math.floor(((filesMax - reservedFiles) * 4) / 5);
  return Math.min(wanted, Math.max(connectionsMin, most));
}
