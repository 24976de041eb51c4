/** Opens logs on a `MemoryDisk` and remembers what was replayed, promised and reported. */

import type {
  Log,
  RecoveryReport,
  StoredRecord,
  Summarizer,
} from '../../../core/broker/log/contract.ts';
import { decodeProof, provenName } from '../../../core/broker/log/format/proven-end.ts';
import { type OpenLogOptions, openLog } from '../../../core/broker/log/open.ts';
import type { MemoryDisk } from './memory-disk.ts';

export const logDir = '/log';
export const never = 3_600_000;

/** A summary that leaves nothing out. */
export function keepAll(): Summarizer {
  const kept: StoredRecord[] = [];
  return {
    add: ({ offset, bytes }) => kept.push({ offset, bytes: Uint8Array.from(bytes) }),
    finish: () => kept,
  };
}

export interface OpenedLog {
  readonly disk: MemoryDisk;
  readonly log: Log;
  readonly report: RecoveryReport;
  /** Records replayed at the opening, as text. */
  readonly replayed: string[];
  /** Told to `begin` before them. */
  readonly compactedUpTo: number;
  /** Offsets given to `onDurable`, and errors given to `onFailure`. */
  readonly durable: number[];
  readonly failures: Error[];
  /** What could not be done for now, and that it works again. */
  readonly problems: string[];
}

export async function openOn(
  disk: MemoryDisk,
  options: Partial<
    Pick<OpenLogOptions, 'segmentBytesMax' | 'markIdleMs' | 'summarize' | 'cacheBytesMax'>
  > = {},
): Promise<OpenedLog> {
  const replayed: string[] = [];
  const durable: number[] = [];
  const failures: Error[] = [];
  const problems: string[] = [];
  let compactedUpTo = -1;
  const { log, report } = await openLog(
    {
      dir: logDir,
      segmentBytesMax: 1024 * 1024,
      onDurable: (offset) => durable.push(offset),
      onFailure: (error) => failures.push(error),
      onProblem: (what, reason) => problems.push(`${what}: ${reason ?? 'over'}`),
      markIdleMs: never,
      summaryQuietMs: 0,
      summarize: keepAll,
      disk,
      ...options,
    },
    {
      begin: (offset) => {
        compactedUpTo = offset;
      },
      record: (record) => replayed.push(Buffer.from(record).toString('latin1')),
    },
  );
  return { disk, log, report, replayed, compactedUpTo, durable, failures, problems };
}

/** Appends and waits until all of it is durable. */
export async function commit(log: Log, records: readonly string[]): Promise<void> {
  for (const record of records) log.append(Buffer.from(record, 'latin1'));
  await settled(log);
}

export async function settled(log: Log): Promise<void> {
  while (log.durableOffset < log.endOffset) await nextTurn();
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A small generator of repeatable numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

/**
 * As if the broker had been killed before it noted its last commit beside the segments: nothing but
 * the log's own headers tells how far it reaches then.
 */
export function unnoteLastCommit(disk: MemoryDisk): void {
  const file = disk.get(`${logDir}/${provenName}`);
  const newest = decodeProof(file);
  if (newest.state !== 'good') throw new Error('the log has no proof');
  file.fill(0, (newest.count % 2) * 512, (newest.count % 2) * 512 + 512);
}
