/** Records that say one thing about several jobs, as one record for each, in their order. */

import { plainAck } from '../../core/broker/state-machine/records/lease-records.ts';
import type { LogRecord } from '../../core/broker/state-machine/records/records.ts';

export function singlesOf(record: LogRecord): readonly LogRecord[] {
  if (record.kind === 'acked') return record.ids.map((id) => plainAck(record, id));
  if (record.kind !== 'delivered') return [record];
  return record.jobs.map((job) => ({
    ...record,
    sessions: [record.sessions[job.session] ?? ''],
    jobs: [{ ...job, session: 0 }],
  }));
}
