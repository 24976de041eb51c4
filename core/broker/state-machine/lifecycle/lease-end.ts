/**
 * When the broker itself ends a lease, and what becomes of the job at every end. *Attempts* are charged failures; *crashes* count
 * vanished holders; *returns* count every time it came back uncharged. Crashes and returns have caps
 * of their own, so that nothing circles for ever.
 */

import {
  type JobState,
  type LeaseEnd,
  noUsage,
  type Output,
  type Usage,
  type Value,
} from '../../../protocol/index.ts';
import { expiryClockMs, type Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { expiredError } from '../records/job-records.ts';
import type { RecordOf } from '../records/records.ts';
import { type JobEntry, tokenOf } from '../state/job-entry.ts';
import { checkBatch } from './batches.ts';
import { loseCalls } from './budgets.ts';
import { isOfBudget, keyToParkOn } from './parking.ts';

export interface LeaseEnding {
  readonly end: LeaseEnd;
  readonly delayMs: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly note: string;
  readonly usage: Usage;
  /** Key to wait for instead of the delay; null for none. */
  readonly park: string | null;
  readonly result: Value | null;
  readonly output: Output | null;
  readonly prompts: Value | null;
  readonly enqueue: RecordOf<'leaseEnded'>['enqueue'];
  /** The broker itself took it back, unsent: no counter rises. */
  readonly uncounted?: boolean;
}

interface Rule {
  readonly charge: 'attempt' | 'return' | 'crash' | 'loss' | 'none';
  readonly again: boolean;
}

/** Which counter each end raises, and whether the job may run again. */
const rules: Readonly<Record<LeaseEnd, Rule>> = {
  ack: { charge: 'none', again: false },
  retry: { charge: 'attempt', again: true },
  final: { charge: 'attempt', again: false },
  throttled: { charge: 'return', again: true },
  returned: { charge: 'return', again: true },
  crashed: { charge: 'crash', again: true },
  lost: { charge: 'loss', again: true },
  damaged: { charge: 'none', again: false },
};

/** The job's counters after the end, and whether the end was charged to it. */
interface Counted {
  readonly attempts: number;
  readonly crashes: number;
  readonly returns: number;
  readonly returnsSinceMs: number;
  readonly free: boolean;
}

/** Why the broker itself ends a lease. */
export type EndCause = Pick<LeaseEnding, 'end' | 'errorCode' | 'errorMessage'> &
  Partial<Pick<LeaseEnding, 'uncounted'>>;

/** Ends leases that were not renewed. */
export function expireLeases(core: Core, now: Now, jobsMax: number): void {
  for (let ended = 0; ended < jobsMax; ) {
    const lease = core.leases.deadlines.popDue(now.monotonicMs);
    if (lease === undefined) return;
    if (lease.ended) continue;
    if (lease.deadlineMs > now.monotonicMs) {
      core.leases.deadlines.push(lease.deadlineMs, lease);
      continue;
    }
    ended++;
    const { leaseMs, leaseAgeMsMax } = core.options;
    const errorMessage =
      lease.deadlineMs === lease.endsAtMs
        ? `the lease was held for ${leaseAgeMsMax} ms, the longest that one may be`
        : `the lease ran out after ${leaseMs} ms without renewal`;
    endLease(core, lease.job, now, { end: 'lost', errorCode: 'lease_expired', errorMessage });
  }
}

/** Ends one lease for a reason that the consumer did not give. */
export function endLease(core: Core, job: JobEntry, now: Now, cause: EndCause): void {
  core.leases.drop(job);
  const ending: LeaseEnding = {
    ...cause,
    delayMs: 0,
    note: '',
    usage: noUsage,
    park: null,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
  };
  const { id } = job;
  core.commit(decideLeaseEnd(core, job, ending, now));
  loseCalls(core, id, now);
  checkBatch(core, core.state.jobs.get(id), now);
}

/** The record of a lease's end: from the job as it is, the end and the time. */
export function decideLeaseEnd(
  core: Core,
  job: JobEntry,
  said: LeaseEnding,
  now: Now,
): RecordOf<'leaseEnded'> {
  const ending = { ...said, park: keyToParkOn(core, job.id, said.park) };
  core.refused.delete(job.id);
  const { wallMs: atMs } = now;
  const { jobs } = core.state;
  const { free, ...counters } = countersOf(core, job, ending, atMs);
  const { again } = rules[ending.end];
  const stop = again ? reasonToStop(core, job, ending, { ...counters, free, now }) : null;
  const state = nextState(ending, again && counters.attempts < job.attemptsMax && stop === null);
  const token = tokenOf(job);
  const { end, note, result, output, prompts, enqueue } = ending;
  const { errorCode, errorMessage } = stop ?? ending;
  return {
    kind: 'leaseEnded',
    id: token.id,
    end,
    state,
    dueAtMs: state === 'delayed' ? atMs + ending.delayMs : 0,
    parkKey: state === 'parked' ? (ending.park ?? '') : '',
    ...counters,
    delivery: token.delivery,
    session: jobs.extras.session.get(job.slot) ?? noSession,
    errorCode,
    errorMessage,
    note,
    usage: addUsage(jobs.usageOf(job), ending.usage),
    result,
    output,
    prompts,
    enqueue,
    previous: job.last,
    fullBytes: 0,
    atMs,
  };
}

function countersOf(core: Core, job: JobEntry, ending: LeaseEnding, atMs: number): Counted {
  const isWaiting = ending.end === 'returned' && isOfBudget(ending.park);
  const isUncounted = ending.uncounted === true || isWaiting;
  const charge = isUncounted ? 'none' : rules[ending.end].charge;
  // The first crash is free, because a neighbour may have caused it. The job then runs isolated,
  // and a crash there, which its consumer survives and reports, is its own. The loss of a consumer
  // proves nothing about any of the jobs that it held.
  const isCrash = charge === 'crash' || charge === 'loss';
  const charged = charge === 'attempt' || (charge === 'crash' && job.isolated);
  const free = charge === 'return' || (isCrash && !charged);
  const sinceMs = core.state.jobs.extras.returnsSinceMs.get(job.slot);
  return {
    attempts: job.attempts + Number(charged),
    crashes: job.crashes + Number(isCrash),
    returns: job.returns + Number(free),
    returnsSinceMs: sinceMs ?? (free ? atMs : 0),
    free,
  };
}

/** Why a job that could run again does not; null when it may. */
function reasonToStop(
  { options, state }: Core,
  job: JobEntry,
  { end, errorMessage }: LeaseEnding,
  { free, crashes, returns, returnsSinceMs, now }: Counted & { readonly now: Now },
): Pick<LeaseEnding, 'errorCode' | 'errorMessage'> | null {
  const { crashesMax, returnsMax, returnsMsMax } = options;
  if (rules[end].charge === 'loss' && crashes > crashesMax) {
    const message = `its consumer was lost ${crashes} times while it held this job; the last time: ${errorMessage}`;
    return { errorCode: 'crashes_exhausted', errorMessage: message };
  }
  if (free && (returns > returnsMax || now.wallMs - returnsSinceMs > returnsMsMax)) {
    const often = `came back ${returns} times without being charged`;
    const message = `${often}; the last time: ${errorMessage}`;
    return { errorCode: 'returns_exhausted', errorMessage: message };
  }
  const expiresAtMs = state.jobs.extras.expiresAtMs.get(job.slot) ?? Number.POSITIVE_INFINITY;
  if (expiresAtMs > expiryClockMs(now)) return null;
  return { errorCode: expiredError.code, errorMessage: `it expired; ${errorMessage}` };
}

const noSession = '0'.repeat(26);

function nextState(ending: LeaseEnding, mayRunAgain: boolean): JobState {
  if (ending.end === 'ack') return 'done';
  if (!mayRunAgain) return 'dead';
  if (ending.park !== null) return 'parked';
  return ending.delayMs > 0 ? 'delayed' : 'ready';
}

const u32Max = 0xffff_ffff;

/** Sums stop at what a record can hold: what a consumer claims must not stop the broker. */
function addUsage(sum: Usage, more: Usage): Usage {
  return {
    calls: Math.min(sum.calls + more.calls, u32Max),
    inputTokens: capped(sum.inputTokens + more.inputTokens),
    outputTokens: capped(sum.outputTokens + more.outputTokens),
    costMicros: capped(sum.costMicros + more.costMicros),
    estimated: sum.estimated || more.estimated,
  };
}

function capped(sum: number): number {
  return Math.min(sum, Number.MAX_SAFE_INTEGER);
}
