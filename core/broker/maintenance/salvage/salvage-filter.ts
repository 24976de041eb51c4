/**
 * Decides record by record what salvage copies to the new log. Records of a job whose acceptance is lost
 * are left out: the job itself is unknown. Records that refer to other lost bytes (an older error, a
 * result in a blob) are kept without them.
 */

import { decodeJob, type Value } from '../../../protocol/index.ts';
import {
  decodeRecord,
  encodeRecord,
  type LogRecord,
  type RecordOf,
} from '../../state-machine/records/records.ts';
import type { BlobCoverage } from './blob-coverage.ts';
import { Losses } from './loss-report.ts';

type NewJob = RecordOf<'enqueued'>['jobs'][number];
type KeptFields = Pick<RecordOf<'snapshot'>, 'result' | 'output' | 'prompts'>;
type ListRecord = Extract<LogRecord, { readonly ids: readonly string[] }>;

export interface SalvageContext {
  /** Up to here records may refer to jobs that compaction dropped, which is no loss. */
  readonly compactedUpTo: number;
  readonly blobs: BlobCoverage;
  /** New offsets of the records kept so far. */
  readonly offsets: OffsetMap;
}

export class SalvageFilter {
  readonly losses: Losses = new Losses();
  readonly #context: SalvageContext;
  readonly #known: Set<string> = new Set();
  #offset = 0;

  constructor(context: SalvageContext) {
    this.#context = context;
  }

  /** Jobs that the new log knows. */
  get jobs(): number {
    return this.#known.size;
  }

  /**
   * The records that replace this one, in order, the last one at its new offset; none when it is left
   * out.
   */
  take(bytes: Uint8Array, offset: number): readonly Uint8Array[] {
    this.#offset = offset;
    try {
      const records = this.#records(decodeRecord(bytes));
      return records === 'as it is' ? [bytes] : records.map(encodeRecord);
    } catch {
      this.losses.illegible += 1;
      return [];
    }
  }

  #records(record: LogRecord): readonly LogRecord[] | 'as it is' {
    if ('ids' in record) return this.#list(record);
    if (record.kind === 'enqueued') return this.#accept(record.jobs, record);
    if (record.kind === 'leaseEnded') return this.#leaseEnded(record);
    if (record.kind === 'snapshot') return this.#snapshot(record);
    if (record.kind === 'delivered') return this.#delivered(record);
    if (record.kind === 'journaled') return this.#journaled(record);
    if (record.kind === 'projected') return this.#projected(record);
    const ofBlob = record.kind === 'blobChunk' || record.kind === 'blobStored';
    return ofBlob && this.#context.blobs.isLost(record) ? this.#withoutBlob() : 'as it is';
  }

  /** A known id that is accepted again was forgotten in between, by a record that is lost. */
  #accept(jobs: readonly NewJob[], record: LogRecord): readonly LogRecord[] {
    const decoded = jobs.map(({ job }) => decodeJob(job));
    const forgotten = decoded.map(({ id }) => id).filter((id) => this.#known.has(id));
    for (const { id, bodyRef } of decoded) {
      this.#known.add(id);
      if (bodyRef !== null && this.#context.blobs.isLost(bodyRef)) this.losses.inputs.add(id);
    }
    for (const id of forgotten) this.losses.ids.add(id);
    return forgotten.length === 0 ? [record] : [{ kind: 'forgotten', ids: forgotten }, record];
  }

  #leaseEnded(record: RecordOf<'leaseEnded'>): readonly LogRecord[] {
    const { id, enqueue, atMs } = record;
    if (!this.#known.has(id)) {
      this.#leaveOut([id]);
      // Its follow-up jobs were accepted as well, and are complete.
      const followUps: LogRecord = { kind: 'enqueued', atMs, jobs: enqueue };
      return enqueue.length === 0 ? [] : this.#accept(enqueue, followUps);
    }
    const previous = this.#context.offsets.find(record.previous);
    return this.#accept(enqueue, { ...record, previous, ...this.#keptOf(id, record) });
  }

  #snapshot(record: RecordOf<'snapshot'>): 'as it is' | readonly LogRecord[] {
    const { id, bodyRef } = decodeJob(record.job);
    const { blobs } = this.#context;
    this.#known.add(id);
    if (record.bodyBytes > 0 && bodyRef !== null && blobs.isLost(bodyRef)) {
      this.losses.inputs.add(id);
    }
    const kept = this.#keptOf(id, record);
    const { result, output, prompts } = record;
    const isWhole = kept.result === result && kept.output === output && kept.prompts === prompts;
    return isWhole ? 'as it is' : [{ ...record, ...kept }];
  }

  /** What the end of a lease brought along, as far as its blobs are there. */
  #keptOf(id: string, { result, output, prompts }: KeptFields): KeptFields {
    const { blobs } = this.#context;
    const isLost = (value: Value | null): boolean =>
      value !== null && value.blob !== null && blobs.isLost(value.blob);
    const lostFiles = output?.files.some(({ content }) => isLost(content)) ?? false;
    if (isLost(result) || lostFiles) this.losses.results.add(id);
    return {
      result: isLost(result) ? null : result,
      output: lostFiles ? null : output,
      prompts: isLost(prompts) ? null : prompts,
    };
  }

  #projected(record: RecordOf<'projected'>): 'as it is' | readonly LogRecord[] {
    const jobs = record.jobs.filter(({ id }) => this.#known.has(id));
    if (jobs.length === record.jobs.length) return 'as it is';
    this.#leaveOut(record.jobs.filter((job) => !jobs.includes(job)).map(({ id }) => id));
    return jobs.length === 0 ? [] : [{ ...record, jobs }];
  }

  /** Kept even for an unknown job: compaction may rewrite the job only later. */
  #journaled(record: RecordOf<'journaled'>): 'as it is' | readonly LogRecord[] {
    const { id, value, charge, atMs } = record;
    if (value.blob === null || !this.#context.blobs.isLost(value.blob)) return 'as it is';
    if (this.#known.has(id)) this.losses.ids.add(id);
    const left = this.#withoutBlob();
    // What the call cost is true without its answer.
    return charge === null ? left : [...left, { kind: 'charged', charges: [charge], atMs }];
  }

  #delivered(record: RecordOf<'delivered'>): 'as it is' | readonly LogRecord[] {
    const jobs = record.jobs.filter(({ id }) => this.#known.has(id));
    if (jobs.length === record.jobs.length) return 'as it is';
    this.#leaveOut(record.jobs.map(({ id }) => id).filter((id) => !this.#known.has(id)));
    return jobs.length === 0 ? [] : [{ ...record, jobs }];
  }

  #list(record: ListRecord): 'as it is' | readonly LogRecord[] {
    const ids = record.ids.filter((id) => this.#known.has(id));
    if (record.kind === 'forgotten') for (const id of ids) this.#known.delete(id);
    if (ids.length === record.ids.length) return 'as it is';
    this.#leaveOut(record.ids.filter((id) => !ids.includes(id)));
    return ids.length === 0 ? [] : [{ ...record, ids }];
  }

  #leaveOut(ids: readonly string[]): void {
    if (this.#offset <= this.#context.compactedUpTo) return;
    this.losses.unknownJob += 1;
    for (const id of ids) this.losses.ids.add(id);
  }

  #withoutBlob(): readonly LogRecord[] {
    if (this.#offset > this.#context.compactedUpTo) this.losses.lostBlob += 1;
    return [];
  }
}

/** Records that follow each other in both logs. */
interface Run {
  readonly from: number;
  to: number;
  /** New offset less old offset. */
  readonly shift: number;
}

/** Maps offsets of the old log to the new one, in which records were left out or added. */
export class OffsetMap {
  readonly #runs: Run[] = [];

  /** Old offsets must be added in ascending order. */
  add(oldOffset: number, newOffset: number): void {
    const last = this.#runs.at(-1);
    const shift = newOffset - oldOffset;
    if (last?.to === oldOffset - 1 && last.shift === shift) last.to = oldOffset;
    else this.#runs.push({ from: oldOffset, to: oldOffset, shift });
  }

  /** The new offset; 0 when the record is not in the new log. */
  find(oldOffset: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.to ?? 0) < oldOffset) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    return run === undefined || run.from > oldOffset ? 0 : oldOffset + run.shift;
  }
}
