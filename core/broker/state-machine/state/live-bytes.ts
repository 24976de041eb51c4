/** How much of the log is needed for what is told of a job's leases that ended. */

import { limits } from '../../../protocol/index.ts';
import type { Place, RecordOf } from '../records/records.ts';
import type { JobEntry } from './job-entry.ts';

/**
 * Counts what the record tells of a lease's end. Compaction says the last ten ends again, and they lie
 * among those counted: the ends since the last multiple of ten, and the ten before.
 * @param tenBytes by row, of jobs that had more than ten leases: bytes of those since that multiple
 */
export function countEnd(
  job: JobEntry,
  tenBytes: Map<number, number>,
  record: RecordOf<'leaseEnded'>,
  place: Place,
): void {
  const { slot } = job;
  const bytes = record.fullBytes || place.bytes - bytesOfJobs(record.enqueue);
  const sinceTen = tenBytes.get(slot);
  const isFirstOfTen = record.delivery % limits.historyRowsMax === 1 && job.lastBytes > 0;
  job.lastBytes = bytes + (isFirstOfTen ? (sinceTen ?? job.lastBytes) : job.lastBytes);
  if (isFirstOfTen) tenBytes.set(slot, bytes);
  else if (sinceTen !== undefined) tenBytes.set(slot, sinceTen + bytes);
}

/** Bytes of follow-up jobs in a record: they count for those jobs. */
export function bytesOfJobs(jobs: RecordOf<'leaseEnded'>['enqueue']): number {
  return jobs.reduce((sum, { job }) => sum + job.length, 0);
}
