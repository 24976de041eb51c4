/** How counters and state of a job must follow from how its lease ended. */

import type { RecordOf } from '../../core/broker/state-machine/records/records.ts';
import type { LeaseEnd } from '../../core/protocol/index.ts';
import type { BookJob } from './book.ts';

type LeaseEnded = RecordOf<'leaseEnded'>;

export interface LeaseOptions {
  /** A job whose holder vanished more often is dead. */
  readonly crashesMax: number;
  /** Uncharged returns end by their number, and by the time since the first of them. */
  readonly returnsMax: number;
  readonly returnsMsMax: number;
}

interface LeaseLaw extends LeaseOptions {
  /** A job that is to expire by then may not run again. */
  readonly expiryMs: number;
  /** It was not sent, because it could not be read. */
  readonly isUnread: boolean;
}

interface Charge {
  readonly attempts: number;
  readonly crashes: number;
  readonly returns: number;
}

const nothing: Charge = { attempts: 0, crashes: 0, returns: 0 };
const attempt: Charge = { ...nothing, attempts: 1 };
const comeBack: Charge = { ...nothing, returns: 1 };
const crash: Charge = { ...nothing, crashes: 1 };

const charges: Readonly<Record<LeaseEnd, Charge>> = {
  ack: nothing,
  damaged: nothing,
  retry: attempt,
  final: attempt,
  throttled: comeBack,
  returned: comeBack,
  crashed: crash,
  lost: crash,
};

/** A crash that its consumer reports is the job's own when it ran alone; else it only came back. */
function chargeOf(next: LeaseEnded, job: BookJob, isUnread: boolean): Charge {
  const { end } = next;
  if (isParkedForBudget(next, job)) return nothing;
  // The broker took it back before anybody had it.
  if (end === 'returned' && isUnread) return nothing;
  const charge = charges[end];
  if (charge.crashes === 0) return charge;
  const isItsOwn = end === 'crashed' && job.isolated;
  return isItsOwn ? { ...charge, attempts: 1 } : { ...charge, returns: 1 };
}

/** What waits for money came back for nothing; one that expired meanwhile does not say what it waited for. */
function isParkedForBudget(
  { end, parkKey, errorCode, returns }: LeaseEnded,
  job: BookJob,
): boolean {
  if (end !== 'returned') return false;
  return parkKey.startsWith('budget:') || (errorCode === 'expired' && returns === job.returns);
}

/** What is wrong with the record, or null. */
export function wrongCounters(job: BookJob, next: LeaseEnded, options: LeaseLaw): string | null {
  const charge = chargeOf(next, job, options.isUnread);
  for (const counter of ['attempts', 'crashes', 'returns'] as const) {
    if (next[counter] !== job[counter] + charge[counter]) {
      return `${counter} went from ${job[counter]} to ${next[counter]}`;
    }
  }
  if (next.end === 'ack') return next.state === 'done' ? null : `it is ${next.state}`;
  const mustDie = isTheEnd(job, next, options, charge.returns > 0);
  return mustDie === (next.state === 'dead') ? null : `it is ${next.state}`;
}

/** Whether the job may not run again. */
function isTheEnd(
  job: BookJob,
  next: LeaseEnded,
  { crashesMax, returnsMax, returnsMsMax, expiryMs }: LeaseLaw,
  cameBack: boolean,
): boolean {
  if (next.end === 'final' || next.end === 'damaged') return true;
  if (next.attempts >= job.attemptsMax) return true;
  if (job.expiresAtMs > 0 && job.expiresAtMs <= expiryMs) return true;
  if (next.end === 'lost' && next.crashes > crashesMax) return true;
  const isOld = next.atMs - next.returnsSinceMs > returnsMsMax;
  return cameBack && (next.returns > returnsMax || isOld);
}
