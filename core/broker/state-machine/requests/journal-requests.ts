/**
 * JournalPut and JournalGet. An entry is written once: whoever comes later gets what stands. It is
 * taken from the session that has or had the lease, as paid work is not thrown away, and from no
 * other: what stands is believed.
 */

import {
  type JobState,
  type LeaseToken,
  limits,
  type Message,
  type Value,
} from '../../../protocol/index.ts';
import { answer, type Refusal, type RequestContext, refuse } from '../context/request.ts';
import { decodeRecord } from '../records/records.ts';
import type { BlobStore } from '../state/blobs.ts';
import type { JournalStore } from '../state/journal.ts';
import { hashBytes, hexOf } from '../table/hex.ts';
import { notAHash } from './blob-requests.ts';

/** Most bytes of one job's values that are blobs. */
const blobBytesMax = 64 * 1024 * 1024;
/** Most entries of all jobs: each takes some 200 bytes of memory. */
const entriesInAllMax = 2_000_000;

/** What of a job decides whether its journal takes an entry. */
export interface JournalJob {
  readonly state: JobState;
  readonly leaseEpoch: number;
  readonly deliveries: number;
}

/** The journals of a broker and what they are about. */
export interface Journals {
  readonly store: JournalStore;
  readonly blobs: Pick<BlobStore, 'isStored'>;
  readonly jobs: { get(id: string): JournalJob | undefined };
  /** Whether the session holds this lease now. */
  holds(session: string, token: LeaseToken): boolean;
  /**
   * Finds out whether the session had this lease before, from what the log says of the ends of the
   * job's leases, and asks again with `putHeldEntry` when it had.
   */
  lookUp(caller: RequestContext, fields: Message<'JournalPut'>): void;
}

export function putEntry(
  caller: RequestContext,
  journals: Journals,
  fields: Message<'JournalPut'>,
): void {
  const { token, callHash } = fields;
  const refusal = refusalOfJob(journals, token) ?? refusalOfHash(callHash);
  if (refusal !== null) refuse(caller, refusal.code, refusal.message);
  else if (journals.holds(caller.session.id, token)) putHeldEntry(caller, journals, fields);
  else journals.lookUp(caller, fields);
}

/** For a session that has or had the lease. */
export function putHeldEntry(
  caller: RequestContext,
  journals: Journals,
  fields: Message<'JournalPut'>,
): void {
  const { token, callHash, value } = fields;
  // Again: the job may have ended while the log was looked into.
  const refusal = refusalOfJob(journals, token);
  if (refusal !== null) {
    refuse(caller, refusal.code, refusal.message);
    return;
  }
  const standing = journals.store.find(token.id, callHash);
  if (standing !== undefined) {
    sendEntry(caller, standing.offset);
    return;
  }
  const bad = refusalOfValue(journals, value) ?? refusalOfSize(journals.store, token.id, value);
  if (bad !== null) {
    refuse(caller, bad.code, bad.message);
    return;
  }
  const { id } = token;
  const inlineBytes = value.inline?.length ?? 0;
  const atMs = caller.now.wallMs;
  caller.core.commit({ kind: 'journaled', id, callHash, value, inlineBytes, atMs });
  answer(caller, 'JournalOk', { value });
}

export function getEntry(
  caller: RequestContext,
  journals: Journals,
  fields: Message<'JournalGet'>,
): void {
  const { id, callHash } = fields;
  const bad = refusalOfHash(callHash);
  if (bad !== null) refuse(caller, bad.code, bad.message);
  else if (journals.jobs.get(id) === undefined) refuse(caller, 'NOT_FOUND', 'no such job');
  else {
    const entry = journals.store.find(id, callHash);
    if (entry === undefined) answer(caller, 'JournalOk', { value: null });
    else sendEntry(caller, entry.offset);
  }
}

function sendEntry({ core, connection, correlationId }: RequestContext, offset: number): void {
  core.effects.fetch(connection, correlationId, [offset], ([bytes]) => {
    const record = bytes === undefined ? undefined : decodeRecord(bytes);
    if (record?.kind !== 'journaled') {
      throw new Error(`record ${offset} was read as a journal entry, and it is ${record?.kind}`);
    }
    return { name: 'JournalOk', fields: { value: record.value } };
  });
}

/** What a session is told that has no right to write the entry. */
export const notHeld: Refusal = {
  code: 'STALE_LEASE',
  message: 'this session neither holds this lease of the job nor held it among its last ones',
};

/** A job that may run again takes entries; a dead one as well, since an operator may retry it. */
function refusalOfJob({ jobs }: Journals, token: LeaseToken): Refusal | null {
  const job = jobs.get(token.id);
  if (job === undefined) return { code: 'NOT_FOUND', message: 'no such job' };
  if (job.state === 'done' || job.state === 'cancelled') {
    return { code: 'BAD_STATE', message: `the job is ${job.state}: its journal is gone` };
  }
  if (hadLease(job, token)) return null;
  return notHeld;
}

/** True for the newest lease and for what can have been one before it. */
function hadLease(
  { leaseEpoch, deliveries }: JournalJob,
  { epoch, delivery }: LeaseToken,
): boolean {
  if (delivery === deliveries) return delivery > 0 && epoch === leaseEpoch;
  return delivery > 0 && delivery < deliveries && epoch <= leaseEpoch;
}

function refusalOfHash(callHash: Uint8Array): Refusal | null {
  if (callHash.length === hashBytes) return null;
  return { code: 'BAD_REQUEST', message: notAHash('callHash', callHash) };
}

function refusalOfValue({ blobs }: Journals, { inline, blob }: Value): Refusal | null {
  if ((inline === null) === (blob === null)) {
    return { code: 'BAD_REQUEST', message: 'a value is either inline or a blob' };
  }
  if (inline !== null && inline.length > limits.inlineBytesMax) {
    const most = `at most ${limits.inlineBytesMax} travel inline: put a blob and refer to it`;
    return { code: 'BAD_REQUEST', message: `the value has ${inline.length} bytes; ${most}` };
  }
  if (blob === null) return null;
  if (blob.sha256.length !== hashBytes) {
    return { code: 'BAD_REQUEST', message: notAHash('sha256', blob.sha256) };
  }
  if (blobs.isStored(blob)) return null;
  const name = `${blob.totalBytes} bytes with the hash ${hexOf(blob.sha256)}`;
  return { code: 'NO_BLOB', message: `no blob of ${name} is stored` };
}

function refusalOfSize(store: JournalStore, job: string, value: Value): Refusal | null {
  if (store.entryCountOf(job) >= limits.journalEntriesMax) {
    const message = `the job's journal has ${limits.journalEntriesMax} entries and takes no more`;
    return { code: 'BAD_STATE', message };
  }
  if (store.blobBytesOf(job) + (value.blob?.totalBytes ?? 0) > blobBytesMax) {
    const message = `the job's journal would have more than ${blobBytesMax} bytes in blobs`;
    return { code: 'BAD_STATE', message };
  }
  if (store.entryCount < entriesInAllMax) return null;
  return { code: 'QUEUE_FULL', message: `the broker holds ${entriesInAllMax} journal entries` };
}
