/** Settle, Extend and Resume: what the holder of a lease may do with it. Every item answers for itself. */

import {
  errorCodes,
  type ItemAnswer,
  isKey,
  type LeaseToken,
  limits,
  noError,
  type Settlement,
} from '../../../protocol/index.ts';
import { checkJob } from '../../check-job.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { itemError, itemOk, type Refusal, type Request, respond } from '../context/request.ts';
import type { Session } from '../context/session.ts';
import { checkBatch } from '../lifecycle/batches.ts';
import { loseCalls } from '../lifecycle/budgets.ts';
import { decideLeaseEnd, endLease } from '../lifecycle/lease-end.ts';
import { type JobEntry, wasHeldBy } from '../state/job-entry.ts';
import { isNoUsage } from '../state/job-extras.ts';
import { Admission } from './admission.ts';
import { badRequest, keptRefusal, valueRefusal } from './settle-values.ts';

export function settle(request: Request<'Settle'>): void {
  let followUps = 0;
  const acks = new PlainAcks(request);
  const items = request.fields.items.map((item) => {
    followUps += item.enqueue.length;
    if (followUps > limits.batchItemsMax) {
      return itemError('TOO_MANY_ITEMS', null, `more than ${limits.batchItemsMax} follow-up jobs`);
    }
    return settleOne(request, item, acks);
  });
  acks.commit();
  respond(request, 'SettleOk', { items });
}

/** The same from a client that writes no files. */
export function settlePlain(request: Request<'PlainSettle'>): void {
  const items = request.fields.items.map((item) => ({ ...item, output: null, prompts: null }));
  settle({ ...request, fields: { items } });
}

const isPlain: { readonly [N in keyof Settlement]: (item: Settlement) => boolean } = {
  token: () => true,
  outcome: ({ outcome }) => outcome === 'ack',
  // An ack has neither.
  delayMs: () => true,
  park: () => true,
  errorCode: ({ errorCode }) => errorCode === '',
  errorMessage: ({ errorMessage }) => errorMessage === '',
  note: ({ note }) => note === '',
  usage: ({ usage }) => isNoUsage(usage),
  result: ({ result }) => result === null,
  output: ({ output }) => output === null,
  prompts: ({ prompts }) => prompts === null,
  enqueue: ({ enqueue }) => enqueue.length === 0,
};
/** An ack is plain when none of its fields says anything: a new field must be decided here. */
const plainChecks = Object.values(isPlain);

/** Plain acks of first leases that follow each other in a Settle: they share a record. */
class PlainAcks {
  readonly #core: Core;
  readonly #head: { readonly session: string; readonly atMs: number };
  #ids: string[] = [];

  constructor({ core, session, now }: Request<'Settle'>) {
    this.#core = core;
    this.#head = { session: session.id, atMs: now.wallMs };
  }

  /** Whether `acked` says all about this end of the job's lease. */
  takes(job: JobEntry, item: Settlement): boolean {
    const isFirst = job.deliveries === 1 && job.attempts + job.crashes + job.returns === 0;
    const holdsNothing = this.#core.state.money.openHoldsOf(item.token.id).length === 0;
    return isFirst && holdsNothing && plainChecks.every((check) => check(item));
  }

  /** Applies it at once: the next item may be about the same job. */
  add(job: JobEntry, id: string): void {
    this.#core.state.ack(job, this.#head, this.#core.offset + 1);
    this.#ids.push(id);
  }

  /** Before any other record. */
  commit(): void {
    if (this.#ids.length === 0) return;
    this.#core.commitApplied({ kind: 'acked', ...this.#head, ids: this.#ids });
    this.#ids = [];
  }
}

function settleOne(request: Request<'Settle'>, item: Settlement, acks: PlainAcks): ItemAnswer {
  const { core, session, now } = request;
  const job = core.state.jobs.get(item.token.id);
  if (job === undefined) return itemError('NOT_FOUND', null, 'no such job');
  const bad = refusalOf(core, item);
  if (bad !== null) return itemError(bad.code, job, bad.message);
  const lease = core.leases.held(job, item.token, session);
  if (lease === undefined) return answerRepeated(session, job, item);
  if (acks.takes(job, item)) {
    core.leases.drop(job);
    core.rates.lose(item.token.id, now.monotonicMs);
    acks.add(job, item.token.id);
    return itemOk(job);
  }
  acks.commit();
  const followUps = admit(request, item);
  if ('code' in followUps) return itemError(followUps.code, job, followUps.message);
  core.leases.drop(job);
  const ending = { ...item, end: item.outcome, enqueue: followUps.rows.map((row) => row.job) };
  core.commit(decideLeaseEnd(core, job, ending, now));
  loseCalls(core, item.token.id, now);
  checkBatch(core, core.state.jobs.get(item.token.id), now);
  followUps.countNames();
  return itemOk(job);
}

/** A repeated settle answers as the first one did, because answers get lost; any other is stale. */
function answerRepeated(session: Session, job: JobEntry, item: Settlement): ItemAnswer {
  if (wasHeldBy(job, item.token, session.id) && job.state !== 'leased') {
    if (job.lastEnd === item.outcome) return itemOk(job);
    if (job.state === 'cancelled') return itemError('BAD_STATE', job, 'the job was cancelled');
  }
  return itemError(
    'STALE_LEASE',
    job,
    'the lease is not the newest of its job, or not of this session',
  );
}

/** The follow-up jobs that are new; one that cannot come in refuses the whole settle. */
function admit(
  { core, session, now }: Request<'Settle'>,
  item: Settlement,
): Admission | Refusal<'item'> {
  const admission = new Admission(core, session.named, now, item.enqueue.length);
  for (const bytes of item.enqueue) {
    const checked = checkJob(bytes, core.options.crc32);
    const admitted = checked.ok ? admission.check(bytes, checked.job) : checked;
    if (admitted === 'created' || admitted === 'exists') continue;
    const id = (checked.ok ? checked.job.id : checked.id) ?? '(its id cannot be read)';
    return { code: admitted.code, message: `follow-up job ${id}: ${admitted.message}` };
  }
  return admission;
}

function refusalOf(core: Core, item: Settlement): Refusal<'item'> | null {
  const { delayMsMax, errorCodeBytesMax, errorMessageBytesMax, noteBytesMax } = limits;
  if (item.delayMs > delayMsMax)
    return badRequest(`delayMs is ${item.delayMs}; at most ${delayMsMax} is allowed`);
  // UTF-16 units are never more than UTF-8 bytes, so these bounds are no stricter than the documented ones.
  if (item.errorCode.length > errorCodeBytesMax) return badRequest('errorCode is too long');
  if (item.errorMessage.length > errorMessageBytesMax)
    return badRequest('errorMessage is too long');
  if (item.note.length > noteBytesMax) return badRequest('note is too long');
  return parkRefusal(item) ?? ackRefusal(core, item) ?? keptRefusal(core, item);
}

function parkRefusal({ outcome, park }: Settlement): Refusal<'item'> | null {
  if (park === null) return null;
  if (!isKey(park)) return badRequest('park is not a key');
  const again = outcome !== 'ack' && outcome !== 'final';
  return again ? null : badRequest(`a job cannot be parked with ${outcome}`);
}

/** What only an ack may carry. */
function ackRefusal(core: Core, item: Settlement): Refusal<'item'> | null {
  const { outcome, result, output, enqueue } = item;
  if (outcome !== 'ack') {
    return result === null && output === null && enqueue.length === 0
      ? null
      : badRequest('only an ack carries a result, files or follow-up jobs');
  }
  if (result !== null && output !== null) return badRequest('a result is a value or files');
  return result === null ? null : valueRefusal(core, result, 'the result');
}

/** Renews leases; directs the holder of a cancelled job to stop. */
export function extend(request: Request<'Extend'>): void {
  const { core, session, now } = request;
  const items = request.fields.tokens.map((token) => {
    const job = core.state.jobs.get(token.id);
    if (job === undefined) return { code: errorCodes.NOT_FOUND.number, directive: 'none' as const };
    if (renew(core, session, token, now)) return { code: noError, directive: 'none' as const };
    if (job.state === 'cancelled' && wasHeldBy(job, token, session.id))
      return { code: noError, directive: 'cancel' as const };
    return { code: errorCodes.STALE_LEASE.number, directive: 'none' as const };
  });
  respond(request, 'ExtendOk', { items });
}

/**
 * A session that comes back names the leases that it still works on. They are renewed; what the broker
 * holds for it beyond them was never received and is handed back, uncharged.
 */
export function resume(request: Request<'Resume'>): void {
  const { core, session, now } = request;
  const renewed = new Set<number>();
  const items = request.fields.tokens.map((token) => {
    const job = core.state.jobs.get(token.id) ?? null;
    if (job === null) return itemError('NOT_FOUND', null, 'no such job');
    if (!renew(core, session, token, now)) {
      return itemError('STALE_LEASE', job, 'the lease was lost meanwhile');
    }
    renewed.add(job.seq);
    return itemOk(job);
  });
  for (const { job, seq } of session.leases.values()) {
    if (renewed.has(seq)) continue;
    endLease(core, job, now, {
      end: 'returned',
      errorCode: 'never_received',
      errorMessage: 'the consumer came back without this delivery',
    });
  }
  respond(request, 'ResumeOk', { items });
}

function renew(core: Core, session: Session, token: LeaseToken, now: Now): boolean {
  const job = core.state.jobs.get(token.id);
  const lease = job === undefined ? undefined : core.leases.held(job, token, session);
  if (lease === undefined) return false;
  core.leases.renew(lease, now.monotonicMs);
  return true;
}
