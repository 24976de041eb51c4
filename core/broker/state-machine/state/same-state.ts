/** Whether compaction wrote a job again in the state that it has. */

import type { RecordOf } from '../records/records.ts';
import type { JobEntry } from './job-entry.ts';
import type { JobExtras } from './job-extras.ts';
import type { QueueSet } from './queue-set.ts';

/** False on replay, when what led to a snapshot was left out of a summary. */
export function hasStateOf(
  queues: QueueSet,
  extras: JobExtras,
  { job, record }: { readonly job: JobEntry; readonly record: RecordOf<'snapshot'> },
): boolean {
  const { state, changedAtMs, parkKey, dueAtMs, errorCode } = record;
  if (job.state !== state || job.changedAtMs !== changedAtMs) return false;
  if (state === 'parked') return queues.list(job.list).key === parkKey;
  if (state === 'dead') return queues.list(job.list).key === errorCode;
  return state !== 'delayed' || extras.dueAtMs.get(job.slot) === dueAtMs;
}
