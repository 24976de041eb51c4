/** Which jobs a record is about. */

import type { BrokerState } from '../state/broker-state.ts';
import type { JobEntry } from '../state/job-entry.ts';
import type { LogRecord } from './records.ts';

/** The jobs whose state a record changed, after it was applied. */
export function* jobsOf({ jobs }: BrokerState, record: LogRecord): Iterable<JobEntry> {
  if (record.kind === 'journaled') return;
  const found = 'id' in record ? [jobs.get(record.id)] : [];
  if ('ids' in record && record.kind !== 'forgotten')
    found.push(...record.ids.map((id) => jobs.get(id)));
  const added =
    record.kind === 'enqueued' ? record.jobs : record.kind === 'leaseEnded' ? record.enqueue : [];
  found.push(...added.map(({ seq }) => jobs.bySeq(seq)));
  for (const job of found) if (job !== undefined) yield job;
}
