/** Settle, Extend and Resume: what the holder of a lease may do with it. Every item answers for itself. */

import {
  type ErrorCode,
  errorCodes,
  type ItemAnswer,
  type LeaseToken,
  limits,
  type Message,
  noError,
  type Settlement,
} from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import type { Core, Session } from './core.ts';
import { holdsLease, isNewest, type JobEntry } from './job-entry.ts';
import { decideLeaseEnd } from './lease-end.ts';
import { endLease } from './sessions.ts';

const delayMsMax = 366 * 24 * 3600 * 1000;

export function settle(
  core: Core,
  session: Session,
  items: readonly Settlement[],
  now: Now,
): ItemAnswer[] {
  return items.map((item) => settleOne(core, session, item, now));
}

function settleOne(core: Core, session: Session, item: Settlement, now: Now): ItemAnswer {
  const job = core.store.jobs.get(item.token.id);
  if (job === undefined) return answer('NOT_FOUND', null, 'no such job');
  const bad = refusalOf(item);
  if (bad !== null) return answer(bad.code, job, bad.message);
  if (!holdsLease(job, item.token, session.id)) return answerLate(job, item);
  core.dropLease(job);
  const ending = { ...item, end: item.outcome };
  core.commit(decideLeaseEnd(job, ending, now.wallMs, core.options.returnsMax));
  return { code: noError, state: job.state, message: '' };
}

/** A repeated settle answers as the first one did, because answers get lost; any other is stale. */
function answerLate(job: JobEntry, item: Settlement): ItemAnswer {
  if (isNewest(job, item.token) && job.state !== 'leased') {
    if (job.lastEnd === item.outcome) return { code: noError, state: job.state, message: '' };
    if (job.state === 'cancelled') return answer('BAD_STATE', job, 'the job was cancelled');
  }
  return answer(
    'STALE_LEASE',
    job,
    'the lease is not the newest of its job, or not of this session',
  );
}

function refusalOf(item: Settlement): { code: ErrorCode; message: string } | null {
  if (item.result !== null) return unsupported('a result in Settle');
  if (item.enqueue.length > 0) return unsupported('follow-up jobs in Settle');
  if (item.park !== null) return unsupported('parking in Settle');
  if (item.delayMs > delayMsMax)
    return badRequest(`delayMs is ${item.delayMs}; at most ${delayMsMax} is allowed`);
  // UTF-16 units are never more than UTF-8 bytes, so these bounds are no stricter than the documented ones.
  if (item.errorCode.length > limits.errorCodeBytesMax) return badRequest('errorCode is too long');
  if (item.errorMessage.length > limits.errorMessageBytesMax)
    return badRequest('errorMessage is too long');
  if (item.note.length > limits.noteBytesMax) return badRequest('note is too long');
  return null;
}

function unsupported(what: string): { code: ErrorCode; message: string } {
  return { code: 'UNSUPPORTED', message: `this broker does not serve ${what}` };
}

function badRequest(message: string): { code: ErrorCode; message: string } {
  return { code: 'BAD_REQUEST', message };
}

/** Renews leases; tells the holder of a cancelled job to stop. */
export function extend(
  core: Core,
  session: Session,
  tokens: readonly LeaseToken[],
  now: Now,
): Message<'ExtendOk'>['items'] {
  return tokens.map((token) => {
    const job = core.store.jobs.get(token.id);
    if (job === undefined) return { code: errorCodes.NOT_FOUND.number, directive: 'none' };
    if (renew(core, session, token, now)) return { code: noError, directive: 'none' };
    const cancelled =
      job.state === 'cancelled' && job.session === session.id && isNewest(job, token);
    if (cancelled) return { code: noError, directive: 'cancel' };
    return { code: errorCodes.STALE_LEASE.number, directive: 'none' };
  });
}

/**
 * A session that comes back names the leases that it still works on. They go on; what the broker
 * holds for it beyond them was never received and is handed back, uncharged.
 */
export function resume(
  core: Core,
  session: Session,
  tokens: readonly LeaseToken[],
  now: Now,
): ItemAnswer[] {
  const answers = tokens.map((token) => {
    const job = core.store.jobs.get(token.id) ?? null;
    if (job === null) return answer('NOT_FOUND', null, 'no such job');
    if (renew(core, session, token, now)) return { code: noError, state: job.state, message: '' };
    return answer('STALE_LEASE', job, 'the lease was lost meanwhile');
  });
  const named = new Set(tokens.map((token) => token.id));
  for (const { job } of session.leases.values()) {
    if (named.has(job.id)) continue;
    endLease(core, job, now, {
      end: 'returned',
      errorCode: 'never_received',
      errorMessage: 'the consumer came back without this delivery',
    });
  }
  return answers;
}

function renew(core: Core, session: Session, token: LeaseToken, now: Now): boolean {
  const job = core.store.jobs.get(token.id);
  const lease = session.leases.get(token.id);
  if (job === undefined || lease === undefined || !holdsLease(job, token, session.id)) return false;
  lease.deadlineMs = now.monotonicMs + core.options.leaseMs;
  return true;
}

/** An item that changed nothing. */
export function answer(code: ErrorCode, job: JobEntry | null, message: string): ItemAnswer {
  return { code: errorCodes[code].number, state: job?.state ?? 'none', message };
}
