/**
 * `starting.json`: that a broker of the folder starts, and how far its recovery is. Written by the
 * broker while it holds the lock and does not serve yet; one that was killed leaves it behind.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processStart } from '../base/index.ts';
import { readTrustedFile } from '../client/index.ts';

/** How often those who wait check. */
export const startingPollMs = 100;

/** A broker that starts, or was killed while it did. */
export interface Starting {
  readonly pid: number;
  readonly processStart: string | null;
  /** How much of the log was read. */
  readonly percent: number;
  /** Jobs known so far. */
  readonly jobs: number;
}

/** What the folder's broker wrote last, or null when none starts. */
export async function readStarting(dir: string): Promise<Starting | null> {
  try {
    const value: unknown = JSON.parse(
      await readTrustedFile(path.join(dir, 'starting.json'), false),
    );
    return isStarting(value) ? value : null;
  } catch {
    // Missing, or not to be believed: then there is nothing to wait for.
    return null;
  }
}

function isStarting(value: unknown): value is Starting {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, processStart: start, percent, jobs } = value as Record<string, unknown>;
  return (
    [pid, percent, jobs].every(Number.isSafeInteger) &&
    (start === null || typeof start === 'string')
  );
}

/** The broker of the folder that is seen to start, or null. */
export async function seenStarting(dir: string): Promise<Starting | null> {
  const starting = await readStarting(dir);
  return starting !== null && isSeenAlive(starting) ? starting : null;
}

/** Waits for as long as a broker of the folder is seen to start, and reports it again and again. */
export async function untilStarted(
  dir: string,
  onWait: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let found = await seenStarting(dir); found !== null; found = await seenStarting(dir)) {
    onWait(startingText(dir, found));
    await sleep(startingPollMs, undefined, { signal });
  }
}

/** Whether its process is known to live. In another container it may live without being seen. */
export function isSeenAlive({ pid, processStart: start }: Starting): boolean {
  return start !== null && processStart(pid) === start;
}

export function startingText(dir: string, { pid, percent, jobs }: Starting): string {
  const many = jobs === 1 ? '1 job' : `${jobs.toLocaleString('en')} jobs`;
  return `the broker of ${dir} (process ${pid}) is starting: ${percent} % of its log recovered, ${many} so far`;
}
