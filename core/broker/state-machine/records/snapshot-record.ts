/** The record of compaction: a whole job, rewritten. */

import {
  decodeJob,
  encodeJob,
  type JobInfo,
  jobStates,
  leaseEndInfoType,
  leaseEnds,
  outputType,
  usageType,
  valueType,
} from '../../../protocol/index.ts';
import { type Jobs, type Meanings, RecordCodec, type RecordsOf, type Summary } from './family.ts';
import { bytesOfValue, newInfo, shortValue } from './job-records.ts';
import { bytesOfOutput, shortOutput } from './output-records.ts';

export const snapshotKinds = {
  /** Compaction: the whole of a job rewritten, so that older records about it can be dropped. */
  snapshot: {
    number: 31,
    fields: {
      seq: 'u53',
      state: { enum: jobStates },
      attempts: 'u32',
      crashes: 'u32',
      returns: 'u32',
      returnsSinceMs: 'u53',
      deliveries: 'u32',
      leaseEpoch: 'u53',
      /** Of the newest delivery; absent before the first. */
      session: { optional: 'id' },
      isolated: 'bool',
      lastEnd: { optional: { enum: leaseEnds } },
      enqueuedAtMs: 'u53',
      changedAtMs: 'u53',
      dueAtMs: 'u53',
      expiresAtMs: 'u53',
      parkKey: 'text',
      /** The job as enqueued, its body left out (but counted) once it is done or cancelled. */
      bodyBytes: 'u53',
      bodyInLog: 'bool',
      /** Bytes of `job` in the log; a summary leaves the body out. */
      jobBytes: 'u32',
      job: 'bytes',
      /** Bytes of the fields about its last lease; 0 when it had none that ended. */
      lastBytes: 'u32',
      errorCode: 'text',
      errorMessage: 'text',
      note: 'text',
      usage: usageType,
      result: { optional: valueType },
      output: { optional: outputType },
      /** The files are in their folder. */
      written: 'bool',
      prompts: { optional: valueType },
      history: { list: leaseEndInfoType },
    },
  },
} as const;

type Snapshot = RecordsOf<typeof snapshotKinds>['snapshot'];

const codec = new RecordCodec(snapshotKinds);
const noBytes = new Uint8Array(0);

export const snapshotMeanings: Meanings<typeof snapshotKinds> = { snapshot: { summarize, fold } };

/** A snapshot replaces all earlier records about the job. */
function summarize(
  summary: Summary,
  record: Snapshot,
  { offset }: { readonly offset: number },
): void {
  const job = decodeJob(record.job);
  summary.drop(job.id, 'forgotten');
  const withoutTexts = { ...job, body: noBytes, agent: '', source: '', tags: [] };
  const short: Snapshot = {
    ...record,
    // The checksum of a job that is not delivered is never checked.
    job: encodeJob(withoutTexts, () => 0),
    errorMessage: '',
    note: '',
    result: shortValue(record.result),
    output: shortOutput(record.output),
    prompts: shortValue(record.prompts),
    history: [],
  };
  summary.keep(job.id, record.kind, { offset, bytes: codec.encode(short) });
}

function fold(jobs: Jobs, record: Snapshot): void {
  jobs.put(record.seq, {
    ...newInfo(record.job, record.enqueuedAtMs),
    state: record.state,
    attempts: record.attempts,
    crashes: record.crashes,
    returns: record.returns,
    deliveries: record.deliveries,
    bodyBytes: record.bodyBytes,
    changedAtMs: record.changedAtMs,
    dueAtMs: record.dueAtMs,
    expiresAtMs: record.expiresAtMs,
    parkKey: record.parkKey,
    ...outputInfoOf(record),
    errorCode: record.errorCode,
    errorMessage: record.errorMessage,
    note: record.note,
    usage: record.usage,
  });
}

/** What a job's info says of its result. */
export function outputInfoOf({
  result,
  output,
  written,
}: Pick<Snapshot, 'result' | 'output' | 'written'>): Pick<JobInfo, 'resultBytes' | 'output'> {
  if (output === null) return { resultBytes: bytesOfValue(result), output: 'none' };
  return { resultBytes: bytesOfOutput(output), output: written ? 'written' : 'unwritten' };
}
