/**
 * The fold of log records into the jobs that search knows. A rebuild begins at the log's first record:
 * records about unknown jobs are skipped, because compaction rewrote every job whose older records
 * it dropped. The `Meaning` of a kind defines what it changes.
 */

import { decodeJob, encodeJob, type JobInfo, type Output } from '../../protocol/index.ts';
import type { Jobs } from '../state-machine/records/family.ts';
import { bytesOfValue } from '../state-machine/records/job-records.ts';
import {
  decodeRecord,
  encodeRecord,
  type LogRecord,
  meaningOf,
  meanings,
  type RecordOf,
} from '../state-machine/records/records.ts';

export type { Jobs } from '../state-machine/records/family.ts';

/** The kinds of records that concern jobs; all others change nothing. */
export const foldedKinds: readonly string[] = Object.entries(meanings)
  .filter(([, { fold }]) => fold !== undefined)
  .map(([kind]) => kind);

/** Up to so many bytes a record is passed on as it is. */
const wholeBytesMax = 64 * 1024;
const noBytes = new Uint8Array(0);
const noHash = new Uint8Array(32);

/** The record for the history, which knows of a body nothing but its size: large bodies are left out. */
export function withoutBodies(record: Uint8Array): Uint8Array {
  if (record.length <= wholeBytesMax) return record;
  const decoded = decodeRecord(record);
  const { kind } = decoded;
  if (kind === 'enqueued') {
    return encodeRecord({ ...decoded, jobs: decoded.jobs.map(shortNewJob) });
  }
  if (kind === 'leaseEnded') {
    const enqueue = decoded.enqueue.map(shortNewJob);
    return encodeRecord({ ...decoded, enqueue, output: sizesOf(decoded.output), prompts: null });
  }
  if (kind !== 'snapshot') return record;
  const output = sizesOf(decoded.output);
  return encodeRecord({ ...decoded, job: shortJob(decoded.job), output, prompts: null });
}

/** Of the contents of files only their size is left. */
function sizesOf(output: Output | null): Output | null {
  if (output === null) return null;
  const files = output.files.map(({ content }) => {
    const blob = { sha256: noHash, totalBytes: bytesOfValue(content) };
    return { path: '', content: { inline: null, blob } };
  });
  return { ...output, files, provenance: '' };
}

type NewJob = RecordOf<'enqueued'>['jobs'][number];

function shortNewJob(accepted: NewJob): NewJob {
  return { ...accepted, job: shortJob(accepted.job) };
}

function shortJob(bytes: Uint8Array): Uint8Array {
  const job = decodeJob(bytes);
  if (job.bodyRef !== null) return bytes;
  const bodyRef = { sha256: noHash, totalBytes: job.body.length };
  // The checksum of a job that is not delivered is never checked.
  return encodeJob({ ...job, body: noBytes, bodyRef }, () => 0);
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
