/**
 * The fold of log records into the jobs that search knows. A rebuild begins at the log's first record:
 * records about unknown jobs are skipped, because compaction rewrote every job whose older records
 * it dropped. The `Meaning` of a kind defines what it changes.
 */

import type { JobInfo } from '../../protocol/index.ts';
import type { Jobs } from '../state-machine/records/family.ts';
import {
  type LogRecord,
  meaningOf,
  meanings,
  numbersOfKind,
} from '../state-machine/records/records.ts';

export type { Jobs } from '../state-machine/records/family.ts';

/** The kinds of records that concern jobs; all others change nothing. */
export const foldedKinds: readonly string[] = Object.entries(meanings)
  .filter(([, { fold }]) => fold !== undefined)
  .map(([kind]) => kind);

/** Numbers of these kinds. */
const foldedNumbers: ReadonlySet<number> = new Set(foldedKinds.flatMap(numbersOfKind));

/** False for a record that changes nothing here. */
export function isOfInterest(record: Uint8Array): boolean {
  return foldedNumbers.has(record[0] ?? 0);
}

/** Applies a record. */
export function applyRecord(jobs: Jobs, record: LogRecord): void {
  meaningOf(record).fold?.(jobs, record);
}

/** The info as it is at a moment: no record holds that the clock made a delayed job ready. */
export function infoAt(info: JobInfo, nowMs: number): JobInfo {
  if (info.state !== 'delayed' || info.dueAtMs > nowMs) return info;
  return { ...info, state: 'ready', changedAtMs: info.dueAtMs, dueAtMs: 0 };
}
