/**
 * JournalPut and JournalGet. An entry is written once: a later put is answered with the stored one. It
 * is taken from a session that has or had the lease, so that paid work is not thrown away, and from no
 * other, because later attempts trust it.
 */

import {
  type Charge,
  type JobState,
  type LeaseToken,
  limits,
  type Message,
  type Value,
} from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { answerUnreadable, type CoreEvent, type Fetched, outgoing } from '../context/effects.ts';
import { fetchHistory } from '../context/job-view.ts';
import {
  type Refusal,
  type Request,
  type RequestContext,
  refusalFields,
  refuse,
  respond,
} from '../context/request.ts';
import { chargedOf, wakingAfter } from '../lifecycle/budgets.ts';
import { decodeRecord } from '../records/records.ts';
import type { BlobStore } from '../state/blobs.ts';
import type { JournalStore } from '../state/journal.ts';
import type { Charged } from '../state/money/money-store.ts';
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
  /** What of a charge has not counted yet. */
  due(charge: Charge, now: Now): Charged | null;
  /** Whether the session holds this lease now. */
  holds(session: string, token: LeaseToken): boolean;
  /**
   * Reads in the log whether the session had this lease before, and continues with `putHeldEntry` when
   * it had.
   */
  checkPastLease(request: RequestContext, fields: Message<'JournalPut'>): void;
}

export function journalPut(request: Request<'JournalPut'>): void {
  const { core, fields, now } = request;
  const { charge } = fields;
  wakingAfter(core, charge === null ? [] : [charge], now, () =>
    putEntry(request, journalsOf(core), fields),
  );
  // Behind it: what has a place under its rates alone counts while it has that.
  if (charge !== null) core.rates.end(charge, now.monotonicMs);
}

export function journalGet(request: Request<'JournalGet'>): void {
  getEntry(request, journalsOf(request.core), request.fields);
}

/** Continues a JournalPut: the log holds that the session had the lease. */
export function journalPutOfHolder(
  core: Core,
  { connection, correlationId, session, fields }: Extract<CoreEvent, { type: 'heldEntry' }>,
  now: Now,
): void {
  const context = { core, connection, correlationId, session: { id: session }, now };
  wakingAfter(core, fields.charge === null ? [] : [fields.charge], now, () =>
    putHeldEntry(context, journalsOf(core), fields),
  );
}

export function putEntry(
  request: RequestContext,
  journals: Journals,
  fields: Message<'JournalPut'>,
): void {
  const { token, callHash } = fields;
  const refusal = refusalOfJob(journals, token) ?? refusalOfHash(callHash);
  if (refusal !== null) refuse(request, refusal.code, refusal.message);
  else if (journals.holds(request.session.id, token)) putHeldEntry(request, journals, fields);
  else journals.checkPastLease(request, fields);
}

/** For a session that has or had the lease. */
function putHeldEntry(
  request: RequestContext,
  journals: Journals,
  fields: Message<'JournalPut'>,
): void {
  const { token, callHash, value, charge } = fields;
  // Again: the job may have ended while the log was read.
  const refusal = refusalOfJob(journals, token);
  if (refusal !== null) {
    refuse(request, refusal.code, refusal.message);
    return;
  }
  const existing = journals.store.find(token.id, callHash);
  if (existing !== undefined) {
    // Another attempt bought the same; without a hold it may be this very put, repeated.
    const other = charge !== null && charge.hold !== 0 ? journals.due(charge, request.now) : null;
    if (other !== null) {
      request.core.commit({ kind: 'charged', charges: [other], atMs: request.now.wallMs });
    }
    sendEntry(request, existing.offset);
    return;
  }
  const bad = refusalOfValue(journals, value) ?? refusalOfSize(journals.store, token.id, value);
  if (bad !== null) {
    refuse(request, bad.code, bad.message);
    return;
  }
  const { id } = token;
  const inlineBytes = value.inline?.length ?? 0;
  const atMs = request.now.wallMs;
  const counted = charge === null ? null : journals.due(charge, request.now);
  const entry = { id, callHash, value, inlineBytes, charge: counted, atMs } as const;
  request.core.commit({ kind: 'journaled', ...entry });
  respond(request, 'JournalOk', { value });
}

export function getEntry(
  request: RequestContext,
  journals: Journals,
  fields: Message<'JournalGet'>,
): void {
  const { id, callHash } = fields;
  const bad = refusalOfHash(callHash);
  if (bad !== null) refuse(request, bad.code, bad.message);
  else if (journals.jobs.get(id) === undefined) refuse(request, 'NOT_FOUND', 'no such job');
  else {
    const entry = journals.store.find(id, callHash);
    if (entry === undefined) respond(request, 'JournalOk', { value: null });
    else sendEntry(request, entry.offset);
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

/** The answer to a session that has no right to write the entry. */
export const notHeld: Refusal = {
  code: 'STALE_LEASE',
  message: 'this session neither holds this lease of the job nor held it among its last ones',
};

/** A job that may run again takes entries; a dead one as well, since an operator may retry it. */
function refusalOfJob({ jobs }: Journals, token: LeaseToken): Refusal | null {
  const job = jobs.get(token.id);
  if (job === undefined) return { code: 'NOT_FOUND', message: 'no such job' };
  if (job.state === 'done' || job.state === 'cancelled') {
    return { code: 'BAD_STATE', message: `the job is ${job.state}: its journal was removed` };
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

/** The journals of the broker, to be written by sessions that have or had the lease. */
function journalsOf(core: Core): Journals {
  const { journal: store, blobs, jobs } = core.state;
  return {
    store,
    blobs,
    jobs,
    due: (charge, now) => chargedOf(core, charge, now),
    holds(id, token) {
      const [job, session] = [jobs.get(token.id), core.sessions.get(id)];
      return (
        job !== undefined &&
        session !== undefined &&
        core.leases.held(job, token, session) !== undefined
      );
    },
    checkPastLease: (request, fields) => checkPastLease(core, request, fields),
  };
}

/**
 * Reads the records of the ends of the job's leases, the last ten of them: they name the sessions, also
 * after a restart, so that nothing is kept in memory for it.
 */
function checkPastLease(core: Core, request: RequestContext, fields: Message<'JournalPut'>): void {
  const { connection, correlationId, session } = request;
  const last = core.state.jobs.get(fields.token.id)?.last ?? 0;
  const had = (isIts: boolean): readonly Fetched[] => {
    if (isIts) {
      return [
        {
          type: 'event',
          event: { type: 'heldEntry', connection, correlationId, session: session.id, fields },
        },
      ];
    }
    const refusal = outgoing(connection, correlationId, 'Error', refusalFields(notHeld));
    return [{ type: 'send', outgoing: refusal }];
  };
  core.effects.readFor(connection, {
    offsets: [],
    use: () => [fetchPastLease(last, { session: session.id, token: fields.token }, had)],
    // A record that cannot be read proves nothing about who held the lease.
    unread: answerUnreadable(connection, correlationId),
  });
}

function fetchPastLease(
  last: number,
  { session, token }: { readonly session: string; readonly token: LeaseToken },
  then: (isIts: boolean) => readonly Fetched[],
): Fetched {
  return fetchHistory(last, (history) =>
    then(history.some((end) => end.delivery === token.delivery && end.session === session)),
  );
}
