/**
 * Optional fields of jobs, by row: small maps beside the table, so that a job without them costs nothing
 * here.
 */

import { type BlobRef, limits, noUsage, type Usage } from '../../../protocol/index.ts';
import type { Place } from '../records/family.ts';
import { bytesOfJobs } from '../records/lease-records.ts';
import type { RecordOf } from '../records/records.ts';
import type { BlobReferences } from './blobs.ts';
import type { JobEntry } from './job-entry.ts';

/** The fields that the records of a lease's end and of a snapshot share. */
type LeaseEndFields = Pick<
  RecordOf<'leaseEnded'>,
  'usage' | 'dueAtMs' | 'returnsSinceMs' | 'state' | 'errorCode' | 'result'
>;

export class JobExtras {
  readonly dueAtMs: Map<number, number> = new Map();
  readonly expiresAtMs: Map<number, number> = new Map();
  /** Whose its newest lease is, while it is held. */
  readonly session: Map<number, string> = new Map();
  /** When it first came back uncharged. */
  readonly returnsSinceMs: Map<number, number> = new Map();
  /** Sum over its leases, while it is not terminal. */
  readonly usage: Map<number, Usage> = new Map();
  /** Of a job that had more than ten leases: bytes of the ends since the last multiple of ten. */
  readonly tenBytes: Map<number, number> = new Map();
  /** Why it is dead. */
  readonly cause: Map<number, string> = new Map();
  /** Blob of the input, while the job is not terminal. */
  readonly #inputBlob: Map<number, Uint8Array> = new Map();
  readonly #resultBlob: Map<number, Uint8Array> = new Map();
  readonly #blobs: BlobReferences;

  constructor(blobs: BlobReferences) {
    this.#blobs = blobs;
  }

  /** Sets the fields from a record; before the job moves to its new state. */
  set(
    slot: number,
    { usage, dueAtMs, returnsSinceMs, state, errorCode, result }: LeaseEndFields,
  ): void {
    if (!isNoUsage(usage)) this.usage.set(slot, usage);
    if (dueAtMs > 0) this.dueAtMs.set(slot, dueAtMs);
    if (returnsSinceMs > 0) this.returnsSinceMs.set(slot, returnsSinceMs);
    if (state === 'dead') this.cause.set(slot, errorCode);
    if (result !== null) this.#refer(this.#resultBlob, slot, result.blob);
  }

  /** Replaces the fields by those of a snapshot. */
  replace(slot: number, record: RecordOf<'snapshot'>): void {
    for (const some of [this.dueAtMs, this.session, this.returnsSinceMs, this.usage, this.cause]) {
      some.delete(slot);
    }
    this.set(slot, record);
    if (record.session !== null && record.state === 'leased') {
      this.session.set(slot, record.session);
    }
    if (record.expiresAtMs === 0) this.expiresAtMs.delete(slot);
  }

  setInputBlob(slot: number, blob: BlobRef | null): void {
    this.#refer(this.#inputBlob, slot, blob);
  }

  /**
   * Counts the bytes of the log that the end of a lease needs. Compaction writes the last ten ends
   * again, and they are among those counted: the ends since the last multiple of ten, and the ten before.
   */
  countEnd(job: JobEntry, record: RecordOf<'leaseEnded'>, place: Place): void {
    const { slot } = job;
    const bytes = record.fullBytes || place.bytes - bytesOfJobs(record.enqueue);
    const sinceTen = this.tenBytes.get(slot);
    const isFirstOfTen = record.delivery % limits.historyRowsMax === 1 && job.lastBytes > 0;
    job.lastBytes = bytes + (isFirstOfTen ? (sinceTen ?? job.lastBytes) : job.lastBytes);
    if (isFirstOfTen) this.tenBytes.set(slot, bytes);
    else if (sinceTen !== undefined) this.tenBytes.set(slot, sinceTen + bytes);
  }

  /** The job is terminal: only its result is still needed. */
  clearOnTerminal(slot: number): void {
    this.dueAtMs.delete(slot);
    this.session.delete(slot);
    this.returnsSinceMs.delete(slot);
    this.usage.delete(slot);
    this.tenBytes.delete(slot);
    this.cause.delete(slot);
    this.#unrefer(this.#inputBlob, slot);
  }

  /** The job is forgotten, and its row will be another's. */
  dropAll(slot: number): void {
    this.clearOnTerminal(slot);
    this.expiresAtMs.delete(slot);
    this.#unrefer(this.#resultBlob, slot);
  }

  #refer(blobs: Map<number, Uint8Array>, slot: number, blob: BlobRef | null): void {
    if (blob === null || blobs.has(slot)) return;
    // A copy: the hash lies in a buffer that holds much more.
    blobs.set(slot, new Uint8Array(blob.sha256));
    this.#blobs.addRef(blob.sha256);
  }

  #unrefer(blobs: Map<number, Uint8Array>, slot: number): void {
    const sha256 = blobs.get(slot);
    if (sha256 === undefined) return;
    blobs.delete(slot);
    this.#blobs.dropRef(sha256);
  }
}

/** True when nothing was used. */
export function isNoUsage(usage: Usage): boolean {
  const { calls, inputTokens, outputTokens, costMicros, estimated } = noUsage;
  return (
    usage.calls === calls &&
    usage.inputTokens === inputTokens &&
    usage.outputTokens === outputTokens &&
    usage.costMicros === costMicros &&
    usage.estimated === estimated
  );
}
