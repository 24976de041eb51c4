/** Records of leases: deliveries, and how they ended. */

import {
  fieldsCodec,
  jobStates,
  leaseEnds,
  limits,
  noUsage,
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

/** What `acked` says of all its jobs. */
const ackHead = { session: 'id', atMs: 'u53' } as const;
const ackHeadBytes = 24;
const ackHeadCodec = fieldsCodec(ackHead);

export const leaseKinds = {
  /** Leases were granted, in this order and all in one go. */
  delivered: {
    number: 25,
    fields: {
      epoch: 'u53',
      atMs: 'u53',
      sessions: { list: 'id' },
      /** `session` is an index of `sessions`. */
      jobs: {
        list: { struct: { id: 'id', delivery: 'u32', isolated: 'bool', session: 'u16' } },
      },
    },
  },
  /** The first leases of jobs ended with an ack that says nothing more. Means what `plainAck` makes of it. */
  acked: { number: 29, fields: { ...ackHead, ids: { list: 'id' } } },
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

type Records = RecordsOf<typeof leaseKinds>;
type LeaseEnded = Records['leaseEnded'];

const codec = new RecordCodec(leaseKinds);

export const leaseMeanings: Meanings<typeof leaseKinds> = {
  delivered: {
    summarize(summary, record, { offset }) {
      for (const job of record.jobs) {
        const sessions = record.sessions.slice(job.session, job.session + 1);
        const bytes = codec.encode({ ...record, sessions, jobs: [{ ...job, session: 0 }] });
        summary.keep(job.id, record.kind, { offset, bytes });
      }
    },
    fold(jobs, record) {
      for (const { id, delivery } of record.jobs) {
        const info = jobs.get(id);
        if (info === undefined) continue;
        info.deliveries = delivery;
        moveInfo(info, 'leased', record.atMs);
      }
    },
  },
  acked: {
    summarize(summary, record, { offset }) {
      for (const id of record.ids) {
        summary.keep(id, record.kind, { offset, bytes: codec.encode({ ...record, ids: [id] }) });
        summary.drop(journalOf(id));
      }
    },
    fold(jobs, { ids, atMs }) {
      for (const id of ids) {
        const info = jobs.get(id);
        if (info !== undefined) moveInfo(info, 'done', atMs);
      }
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

/** What `acked` says of one of its jobs. */
export function plainAck(
  { session, atMs }: Pick<Records['acked'], 'session' | 'atMs'>,
  id: string,
): LeaseEnded {
  return { ...plainEnd, id, session, atMs };
}

/** The same for any of its jobs, without reading their ids, of which there may be many. */
export function plainAckOf(acked: Uint8Array): LeaseEnded {
  return plainAck(ackHeadCodec.decode(acked.subarray(1, 1 + ackHeadBytes)), noId);
}

const noId = '0'.repeat(26);
const plainEnd: LeaseEnded = {
  kind: 'leaseEnded',
  id: noId,
  end: 'ack',
  state: 'done',
  dueAtMs: 0,
  parkKey: '',
  attempts: 0,
  crashes: 0,
  returns: 0,
  returnsSinceMs: 0,
  delivery: 1,
  session: noId,
  errorCode: '',
  errorMessage: '',
  note: '',
  usage: noUsage,
  result: null,
  output: null,
  prompts: null,
  enqueue: [],
  previous: 0,
  // What compaction may have to write for it.
  fullBytes: 160,
  atMs: 0,
};

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
