/** Counts the states that decisions of the core alone can tell. */

import type { LogRecord, RecordOf } from '../../core/broker/state-machine/records/records.ts';
import { decodeJob, priorities, type Settlement } from '../../core/protocol/index.ts';
import { type Book, type BookJob, isTokenOf } from '../oracle/book.ts';
import type { Rules } from '../oracle/rules.ts';
import type { Reached } from './reach.ts';

interface Seen {
  readonly book: Book;
  readonly rules: Rules;
  readonly reach: (name: Reached) => void;
}

const byEnd: Partial<Record<RecordOf<'leaseEnded'>['end'], Reached>> = {
  ack: 'ack ended the lease',
  throttled: 'settled throttled',
  crashed: 'settled crashed',
  final: 'settled final',
  damaged: 'bit rot noticed by a read',
};

const byErrorCode: Readonly<Record<string, Reached>> = {
  lease_expired: 'lease ran out',
  consumer_lost: 'session lost with leases',
  handed_back: 'lease given back by goodbye',
  never_received: 'lease given back by a resume that does not name it',
  read_failed: 'job handed back for a read that failed',
};

const byKind: Partial<Record<LogRecord['kind'], Reached>> = {
  parked: 'job parked for its batch',
  batchDropped: 'batch forgotten',
  snapshot: 'compaction said a job again',
  forgotten: 'finished job forgotten',
  expired: 'job expired',
  signalled: 'parked job signalled',
  blobDropped: 'blob dropped',
  retried: 'dead job retried',
};

/** The book does not have the record yet. */
export function reachOfRecord(record: LogRecord, seen: Seen): void {
  const name = byKind[record.kind];
  const before = 'id' in record ? seen.book.jobs.get(record.id) : undefined;
  if (name !== undefined) seen.reach(name);
  if (record.kind === 'enqueued') ofEnqueued(record, seen);
  if (record.kind === 'acked') ofAcks(record, seen);
  if (record.kind === 'delivered') {
    if (record.sessions.length > 1) seen.reach('several sessions got jobs in one record');
    for (const { id } of record.jobs) ofDelivery(seen.book.jobs.get(id), seen);
  }
  if (record.kind === 'leaseEnded' && before !== undefined) {
    ofEnd(record, before, seen);
    ofSettle(record, seen);
  }
  ofMoney(record, seen);
  if (record.kind === 'projected') for (const job of record.jobs) ofProjected(job, seen);
  if (record.kind === 'cancelled') for (const id of record.ids) ofCancel(id, seen);
}

function ofMoney(record: LogRecord, seen: Seen): void {
  if (record.kind === 'charged') ofCharges(record, seen);
  if (record.kind === 'budgetSet') ofBudget(record, seen);
  if (record.kind === 'batchSet' && record.stopped !== null) seen.reach('batch stopped');
}

function ofCharges({ charges }: RecordOf<'charged'>, { book, reach }: Seen): void {
  for (const { hold, end } of charges) {
    const isUnknown = book.money.holds.get(hold)?.unknown;
    if (end === 'unknown') reach('call of a lost lease left unknown');
    else if (isUnknown === true) reach('late charge of an unknown call');
  }
}

function ofBudget({ terms, startMs }: RecordOf<'budgetSet'>, { book, reach }: Seen): void {
  const before = book.money.budgets.get(terms.name);
  if (before !== undefined && before.startMs < startMs) reach('budget period begun');
}

function ofEnqueued({ jobs }: RecordOf<'enqueued'>, { reach }: Seen): void {
  for (const { job } of jobs) {
    if (decodeJob(job).parkKey !== '') reach('job parked when enqueued');
  }
}

function ofDelivery(job: BookJob | undefined, { book, reach }: Seen): void {
  if (job === undefined) return;
  reach('job delivered');
  if (job.deliveries > 0) reach('job delivered again');
  if (job.crashes > 0) reach('job delivered isolated');
  if (job.state === 'delayed') reach('delayed job delivered');
  if (job.acceptedIn < book.epoch) reach('job delivered that an earlier life accepted');
  if (job.bodyBlob !== null) reach('job with a blob delivered');
  for (const other of book.jobs.values()) {
    if (other.state !== 'ready') continue;
    if (book.queue(other.queue).paused) reach('paused queue kept a ready job');
    if (other.queue !== job.queue) continue;
    if (priorities[other.priority] < priorities[job.priority]) {
      reach('low priority delivered while a higher one waited');
    }
  }
}

function ofEnd(record: RecordOf<'leaseEnded'>, before: BookJob, { reach }: Seen): void {
  const { end, state, errorCode } = record;
  const name = byEnd[end] ?? byErrorCode[errorCode];
  if (name !== undefined) reach(name);
  if (end === 'crashed' && before.isolated) reach('crash charged while isolated');
  if (end === 'lost' && before.isolated) reach('isolated job lost with its consumer');
  if (end === 'lost' && errorCode === 'crashes_exhausted') reach('lost too often');
  if (state === 'parked') reach('job parked when settled');
  if (record.parkKey.startsWith('budget:')) reach('job parked for a budget');
  if (state === 'dead' && end === 'retry') reach('attempts used up');
}

function ofAcks({ ids }: RecordOf<'acked'>, { rules, reach }: Seen): void {
  reach('ack ended the lease');
  if (ids.length > 1) reach('several plain acks in one record');
  if (rules.diskFull) reach('disk full: settle accepted');
}

/** What the holder of the lease said with its settle. */
function ofSettle(record: RecordOf<'leaseEnded'>, { rules, reach }: Seen): void {
  const { end, errorCode, enqueue, result, output } = record;
  if (end === 'returned' && byErrorCode[errorCode] === undefined) reach('settled returned');
  if (enqueue.length > 0) reach('follow-up job accepted with an ack');
  if (result !== null) reach('result kept with an ack');
  if (output !== null) reach('files kept with an ack');
  if (rules.diskFull && end === 'ack') reach('disk full: settle accepted');
}

function ofProjected(
  { id, written }: RecordOf<'projected'>['jobs'][number],
  { book, reach }: Seen,
): void {
  reach(written ? 'files written' : 'files could not be written');
  const job = book.jobs.get(id);
  if (written && job !== undefined && job.leaseEpoch < book.epoch) {
    reach('files written that an earlier life settled');
  }
}

function ofCancel(id: string, { book, reach }: Seen): void {
  const state = book.jobs.get(id)?.state;
  if (state === 'leased') reach('running job cancelled');
  else if (state !== 'dead') reach('waiting job cancelled');
}

/** A settle that came too late, by how late. */
export function reachOfSettle(
  { token, outcome }: Settlement,
  job: BookJob | undefined,
  reach: (name: Reached) => void,
): void {
  if (job === undefined || outcome !== 'ack') return;
  const isNewest = isTokenOf(job, token);
  if (isNewest && job.lastEnd === 'lost') reach('ack after lease expiry and before re-lease');
  if (!isNewest && token.delivery < job.deliveries) reach('ack after the job was delivered anew');
}
