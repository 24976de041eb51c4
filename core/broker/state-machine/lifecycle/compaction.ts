/**
 * The core's part of compaction: it rewrites the live records of old segments, oldest first, so that one
 * old job never pins the log. The driver reads the bodies; what changed meanwhile is not rewritten.
 */

import { decodeJob, encodeJob } from '../../../protocol/index.ts';
import type { Core } from '../context/core.ts';
import type { Committing, CoreEvent, Fetched } from '../context/effects.ts';
import { fetchHistory, leaseEndFieldsOf, noteOf } from '../context/job-view.ts';
import { type EnqueuedJob, JobRecordReader, leaseEndOf } from '../records/job-record-reader.ts';
import { decodeRecord, encodeRecord, type LogRecord, type RecordOf } from '../records/records.ts';
import type { BrokerState } from '../state/broker-state.ts';
import { isTerminal, type JobEntry, snapshotBytes } from '../state/job-entry.ts';
import type { JobStore } from '../state/job-store.ts';

/** Most records that one portion rewrites. */
const portionMax = 32;

/** True when nothing up to the offset is needed any more, so that it may be dropped. */
export function isFullyRewritten({ state }: Core, upTo: number): boolean {
  const oldest = state.jobs.at(state.jobs.logOrder.head)?.base ?? Number.POSITIVE_INFINITY;
  const { blobs, journal } = state;
  const others = [blobs.logOrder.oldest, journal.logOrder.oldest];
  return oldest > upTo && others.every((thing) => thing === null || thing.offset > upTo);
}

/** Reads the next records to rewrite, as many as fit `bytesMax`. */
export function compact(core: Core, { upTo, bytesMax }: { upTo: number; bytesMax: number }): void {
  const { jobs, blobs, journal } = core.state;
  const reader = new JobRecordReader();
  let bytes = 0;
  let slot = jobs.logOrder.head;
  for (let count = 0; slot !== 0 && count < portionMax && bytes < bytesMax; count++) {
    const job = jobs.at(slot);
    if (job === undefined || job.base > upTo) break;
    bytes += job.logBytes;
    fetchJob(core, job, reader);
    slot = jobs.logOrder.after(slot);
  }
  const others = [blobs.logOrder, journal.logOrder].flatMap((order) =>
    order.oldestUpTo(upTo, portionMax, bytesMax),
  );
  for (const offset of others) {
    core.effects.read({
      offsets: [offset],
      use: ([record]) =>
        record ? [{ type: 'event', event: { type: 'recordRead', offset, record } }] : [],
    });
  }
}

function fetchJob(core: Core, entry: JobEntry, reader: JobRecordReader): void {
  const { seq, base, last, id } = entry;
  const { noted, prompted } = besidesOf(core, entry);
  core.effects.read({
    offsets: [base, last, noted, prompted].filter((offset) => offset > 0),
    use: (records) => {
      // What cannot be read is not rewritten, and the driver sees that nothing was.
      if (!records.every((record) => record !== null)) return [];
      const [baseRecord = noRecord, ...others] = records;
      const next = (offset: number): Uint8Array | null =>
        offset > 0 ? (others.shift() ?? null) : null;
      const [lastRecord, notedRecord, promptedRecord] = [next(last), next(noted), next(prompted)];
      const read = {
        job: reader.find(baseRecord, { base, seq }),
        end: lastRecord === null ? null : leaseEndOf(lastRecord),
        note: notedRecord === null ? null : noteOf(notedRecord, id),
        prompts: promptedRecord === null ? null : (leaseEndOf(promptedRecord)?.prompts ?? null),
      };
      const event = (history: RecordOf<'snapshot'>['history']): Fetched[] => [
        {
          type: 'event',
          event: { type: 'jobRead', seq, base, last, noted, prompted, ...read, history },
        },
      ];
      return [fetchHistory(last, event)];
    },
    // A job is rewritten with the ends of its leases, or not at all.
    unread: () => [],
  });
}

/** A job's records were read: rewrites it, unless it was rewritten or changed in the meantime. */
export function rewriteJob(core: Core, event: Extract<CoreEvent, { type: 'jobRead' }>): void {
  const { jobs } = core.state;
  const job = jobs.bySeq(event.seq);
  if (job === undefined || isOutdated(core, job, event)) return;
  const { end, job: enqueued, history, note, prompts } = event;
  const encoded = isTerminal(job.state) ? withoutBody(core, enqueued) : enqueued.encoded;
  const snapshot: RecordOf<'snapshot'> = {
    kind: 'snapshot',
    ...rowOf(job),
    ...extrasOf(jobs, job),
    session: jobs.extras.session.get(job.slot) ?? history[0]?.session ?? null,
    ...leaseEndFieldsOf(end, jobs.extras.cause.get(job.slot) ?? ''),
    ...(note === null ? {} : { note }),
    ...(prompts === null ? {} : { prompts }),
    written: !jobs.outputs.isUnwritten(job.slot),
    enqueuedAtMs: enqueued.enqueuedAtMs,
    bodyInLog: job.bodyInLog && !isTerminal(job.state),
    jobBytes: encoded.length,
    job: encoded,
    lastBytes: 0,
    history,
  };
  const lastBytes = job.last === 0 ? 0 : leaseEndBytesOf(snapshot);
  core.commit({ ...snapshot, lastBytes });
}

const noRecord = new Uint8Array(0);

/** Offsets of records that hold something of the job besides its base and the last end; 0 for none. */
function besidesOf(
  { state }: Core,
  { slot, last }: JobEntry,
): { readonly noted: number; readonly prompted: number } {
  const { notes, promptsAt } = state.jobs.outputs;
  const prompted = promptsAt.get(slot) ?? 0;
  return { noted: notes.get(slot)?.offset ?? 0, prompted: prompted === last ? 0 : prompted };
}

function isOutdated(
  core: Core,
  job: JobEntry,
  { base, last, noted, prompted }: Extract<CoreEvent, { type: 'jobRead' }>,
): boolean {
  const besides = besidesOf(core, job);
  if (job.base !== base || job.last !== last) return true;
  return besides.noted !== noted || besides.prompted !== prompted;
}

/** Bytes of the fields of a snapshot about ended leases; at least 1. */
function leaseEndBytesOf(snapshot: RecordOf<'snapshot'>): number {
  const withoutJob = encodeRecord({ ...snapshot, job: new Uint8Array(0) });
  return Math.max(1, withoutJob.length - snapshotBytes);
}

/** The fields of the record that the row holds. */
function rowOf(job: JobEntry) {
  return {
    seq: job.seq,
    state: job.state,
    attempts: job.attempts,
    crashes: job.crashes,
    returns: job.returns,
    deliveries: job.deliveries,
    leaseEpoch: job.leaseEpoch,
    isolated: job.isolated,
    lastEnd: job.lastEnd,
    changedAtMs: job.changedAtMs,
    bodyBytes: job.bodyBytes,
  };
}

/** The fields of the record that a job has only for a time. */
function extrasOf({ extras, queues }: JobStore, { slot, state, list }: JobEntry) {
  return {
    returnsSinceMs: extras.returnsSinceMs.get(slot) ?? 0,
    dueAtMs: extras.dueAtMs.get(slot) ?? 0,
    expiresAtMs: extras.expiresAtMs.get(slot) ?? 0,
    parkKey: state === 'parked' ? queues.list(list).key : '',
  };
}

function withoutBody({ options }: Core, { encoded }: EnqueuedJob): Uint8Array {
  const job = decodeJob(encoded);
  return encodeJob({ ...job, body: new Uint8Array(0), bodyRef: null }, options.crc32);
}

/** A chunk of a blob or an entry of a journal was read: rewrites it when it is still live. */
export function rewriteRecord(
  core: Committing,
  { blobs, journal }: Pick<BrokerState, 'blobs' | 'journal'>,
  { offset, record: bytes }: { readonly offset: number; readonly record: Uint8Array },
): void {
  const record = decodeRecord(bytes);
  if (record.kind !== 'blobChunk' && record.kind !== 'journaled') {
    throw new Error(`record ${offset} was to be rewritten, and it is ${record.kind}`);
  }
  const isCurrent =
    record.kind === 'blobChunk'
      ? blobs.isCurrent(record, offset)
      : journal.isCurrent(record, offset);
  if (!isCurrent) return;
  // Its charge has counted.
  core.commit(record.kind === 'journaled' ? { ...record, charge: null } : record);
}

/** Records of the small state in one portion. */
const rewrittenMax = 500;

/** The rewrite of the small state, portion by portion: the records of `BrokerState.smallState`. */
export class SmallStateRewrite {
  readonly #core: Core;
  readonly #records: Iterator<LogRecord>;
  /** True when all of it was rewritten. */
  isDone = false;

  constructor(core: Core, atMs: number) {
    this.#core = core;
    this.#records = core.state.smallState(atMs);
  }

  continue(): void {
    for (let count = 0; count < rewrittenMax && !this.isDone; count++) {
      const next = this.#records.next();
      if (next.done === true) this.isDone = true;
      else this.#core.commit(next.value);
    }
  }
}
