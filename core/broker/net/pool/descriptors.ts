/** How many open files the system allows the broker, and how many of them may be connections. */

import { readFileSync } from 'node:fs';

/**
 * Kept for everything but connections: threads, event loops, lock, history and listeners take some
 * 60, the log at most 40 more (segments that are read, written, made and summarized), connections
 * that are just being refused 64 (`refusalsMax` of each transport).
 */
const reservedFiles = 192;
/** Fewer would not even serve those who work on one folder. */
const connectionsMin = 8;

/** Most files that this process may have open; infinite where the system does not tell. */
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
 * How many connections leave the log its files, at most `wanted`. A fifth stays free: strangers of one
 * transport, a quarter of these, come on top, as they keep nobody off the other one.
 */
export function connectionsWithin(filesMax: number, wanted: number): number {
  const most = Math.floor(((filesMax - reservedFiles) * 4) / 5);
  return Math.min(wanted, Math.max(connectionsMin, most));
}
