/** Reads jobs, and the ends of their leases, out of the records that hold them. */

import { leaseKinds, plainAckOf } from './lease-records.ts';
import { decodeRecord, type LogRecord, type RecordOf } from './records.ts';

/** A job as it was enqueued. */
export interface EnqueuedJob {
  readonly encoded: Uint8Array;
  readonly enqueuedAtMs: number;
}

/** Where the log holds a job: the record's offset, and which of the record's jobs it is. */
export interface JobPosition {
  readonly base: number;
  readonly seq: number;
}

/** Finds jobs in records; a record that several jobs share is decoded once. */
export class JobRecordReader {
  #offset = 0;
  #record: LogRecord | null = null;

  /** @throws Error when the record holds no such job: the log and the table contradict each other */
  find(bytes: Uint8Array, { base, seq }: JobPosition): EnqueuedJob {
    if (this.#record === null || this.#offset !== base) this.#record = decodeRecord(bytes);
    this.#offset = base;
    const record = this.#record;
    if (record.kind === 'snapshot' && record.seq === seq) {
      return { encoded: record.job, enqueuedAtMs: record.enqueuedAtMs };
    }
    if (record.kind === 'enqueued' || record.kind === 'leaseEnded') {
      const jobs = record.kind === 'enqueued' ? record.jobs : record.enqueue;
      const next = jobs[seq - (jobs[0]?.seq ?? 0)];
      const found = next?.seq === seq ? next : jobs.find((job) => job.seq === seq);
      if (found !== undefined) return { encoded: found.job, enqueuedAtMs: record.atMs };
    }
    throw new Error(`record ${base} is ${record.kind}; it should hold job number ${seq}`);
  }
}

/** The end of a job's newest lease, from the record that holds it; null for one of another kind. Its id may be missing. */
export function leaseEndOf(
  record: Uint8Array,
): RecordOf<'leaseEnded'> | RecordOf<'snapshot'> | null {
  if (record[0] === leaseKinds.acked.number) return plainAckOf(record);
  const decoded = decodeRecord(record);
  return decoded.kind === 'leaseEnded' || decoded.kind === 'snapshot' ? decoded : null;
}
