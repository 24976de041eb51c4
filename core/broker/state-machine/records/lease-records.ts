/** Records of leases: a delivery, and how it ended. */

import {
  jobStates,
  leaseEnds,
  limits,
  outputType,
  usageType,
  valueType,
} from '../../../protocol/index.ts';
import { journalOf, type Meanings, RecordCodec, type RecordsOf } from './family.ts';
import {
  bytesOfValue,
  foldNewJobs,
  moveInfo,
  newJob,
  shortValue,
  summarizeNewJob,
} from './job-records.ts';
import { bytesOfOutput, shortOutput } from './output-records.ts';

export const leaseKinds = {
  /** A lease was granted. */
  delivered: {
    number: 3,
    fields: {
      id: 'id',
      epoch: 'u53',
      delivery: 'u32',
      session: 'id',
      isolated: 'bool',
      atMs: 'u53',
    },
  },
  /**
   * A lease ended; the counters are the job's new values. With an ack come result, files and follow-up
   * jobs, so that all of it is durable together or not at all.
   */
  leaseEnded: {
    number: 30,
    fields: {
      id: 'id',
      end: { enum: leaseEnds },
      state: { enum: jobStates },
      dueAtMs: 'u53',
      /** Set when the new state is `parked`. */
      parkKey: 'text',
      attempts: 'u32',
      crashes: 'u32',
      returns: 'u32',
      /** When it first came back uncharged; 0 when it never did. */
      returnsSinceMs: 'u53',
      /** Whose lease it was. */
      delivery: 'u32',
      session: 'id',
      errorCode: 'text',
      errorMessage: 'text',
      note: 'text',
      usage: usageType,
      result: { optional: valueType },
      /** Files of the result: they are real once this is durable. */
      output: { optional: outputType },
      prompts: { optional: valueType },
      enqueue: { list: newJob },
      /** Offset of the record of the end of its lease before; 0 when there is none. */
      previous: 'u53',
      /** In a summary, where texts are left out: bytes of the whole record but for follow-up jobs.
       * 0 in the log itself. */
      fullBytes: 'u32',
      atMs: 'u53',
    },
  },
} as const;

type LeaseEnded = RecordsOf<typeof leaseKinds>['leaseEnded'];

const codec = new RecordCodec(leaseKinds);

export const leaseMeanings: Meanings<typeof leaseKinds> = {
  delivered: {
    summarize: (summary, record, place) => summary.keep(record.id, record.kind, place),
    fold(jobs, { id, delivery, atMs }) {
      const info = jobs.get(id);
      if (info === undefined) return;
      info.deliveries = delivery;
      moveInfo(info, 'leased', atMs);
    },
  },
  leaseEnded: {
    summarize(summary, record, { offset, bytes }) {
      const short = codec.encode(shortEnd(record, bytes.length));
      summary.keep(record.id, aspectOf(record), { offset, bytes: short });
      if (record.state === 'done') summary.drop(journalOf(record.id));
      for (const job of record.enqueue) summarizeNewJob(summary, job, record.atMs, offset);
    },
    fold(jobs, record) {
      const info = jobs.get(record.id);
      if (info !== undefined) {
        moveInfo(info, record.state, record.atMs);
        info.dueAtMs = record.dueAtMs;
        info.parkKey = record.parkKey;
        info.attempts = record.attempts;
        info.crashes = record.crashes;
        info.returns = record.returns;
        info.errorCode = record.errorCode;
        info.errorMessage = record.errorMessage;
        info.note = record.note;
        info.usage = record.usage;
        if (record.result !== null) info.resultBytes = bytesOfValue(record.result);
        if (record.output !== null) {
          info.resultBytes = bytesOfOutput(record.output);
          info.output = 'unwritten';
        }
      }
      foldNewJobs(jobs, record.enqueue, record.atMs);
    },
  },
};

/** Bytes of follow-up jobs in a record: they count for those jobs. */
export function bytesOfJobs(jobs: LeaseEnded['enqueue']): number {
  return jobs.reduce((sum, { job }) => sum + job.length, 0);
}

function shortEnd(record: LeaseEnded, bytes: number): LeaseEnded {
  const fullBytes = bytes - bytesOfJobs(record.enqueue);
  const kept = {
    result: shortValue(record.result),
    output: shortOutput(record.output),
    prompts: shortValue(record.prompts),
  };
  return { ...record, errorMessage: '', note: '', ...kept, enqueue: [], fullBytes };
}

/** The last twice ten ends of a job's leases are kept: the bytes of all of them count. */
function aspectOf({ kind, delivery }: LeaseEnded): string {
  return `${kind} ${delivery % (2 * limits.historyRowsMax)}`;
}
