/**
 * What becomes of a job when its lease ends. *Attempts* are charged failures; *crashes* count
 * vanished holders; *returns* count every time it came back uncharged, and have a cap in number and
 * in age, so that nothing circles for ever.
 */

import type { JobState, LeaseEnd, Usage, Value } from '../../protocol/index.ts';
import type { Core } from './core.ts';
import { type JobEntry, tokenOf } from './job-entry.ts';
import { expiredCode } from './job-store.ts';
import type { RecordOf } from './records.ts';

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
  readonly enqueue: RecordOf<'leaseEnded'>['enqueue'];
}

interface Rule {
  readonly charge: 'attempt' | 'return' | 'crash' | 'none';
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
  lost: { charge: 'crash', again: true },
  damaged: { charge: 'none', again: false },
};

/** The record of a lease's end: from the job as it is, the end and the wall clock. */
export function decideLeaseEnd(
  core: Core,
  job: JobEntry,
  ending: LeaseEnding,
  atMs: number,
): RecordOf<'leaseEnded'> {
  const { charge, again } = rules[ending.end];
  // The first crash is free, because a neighbour may have caused it. The job then runs isolated,
  // and a crash there is its own.
  const charged = charge === 'attempt' || (charge === 'crash' && job.isolated);
  const free = charge === 'return' || (charge === 'crash' && !job.isolated);
  const attempts = job.attempts + (charged ? 1 : 0);
  const returns = job.returns + (free ? 1 : 0);
  const { jobs } = core.state;
  const sinceMs = jobs.extras.returnsSinceMs.get(job.slot) ?? (free ? atMs : 0);
  const { returnsMax, returnsMsMax } = core.options;
  const stop =
    again && free && (returns > returnsMax || atMs - sinceMs > returnsMsMax)
      ? exhausted(returns, ending)
      : again && isExpired(core, job, atMs)
        ? { errorCode: expiredCode, errorMessage: `it expired; ${ending.errorMessage}` }
        : null;
  const mayRunAgain = again && attempts < job.attemptsMax && stop === null;
  const state = nextState(ending, mayRunAgain);
  const token = tokenOf(job);
  return {
    kind: 'leaseEnded',
    id: token.id,
    end: ending.end,
    state,
    dueAtMs: state === 'delayed' ? atMs + ending.delayMs : 0,
    parkKey: state === 'parked' ? (ending.park ?? '') : '',
    attempts,
    crashes: job.crashes + (charge === 'crash' ? 1 : 0),
    returns,
    returnsSinceMs: sinceMs,
    delivery: token.delivery,
    session: jobs.extras.session.get(job.slot) ?? noSession,
    errorCode: stop?.errorCode ?? ending.errorCode,
    errorMessage: stop?.errorMessage ?? ending.errorMessage,
    note: ending.note,
    usage: addUsage(jobs.usageOf(job), ending.usage),
    result: ending.result,
    enqueue: ending.enqueue,
    previous: job.last,
    fullBytes: 0,
    atMs,
  };
}

const noSession = '0'.repeat(26);

function exhausted(returns: number, { errorMessage }: LeaseEnding) {
  return {
    errorCode: 'returns_exhausted',
    errorMessage: `came back ${returns} times without being charged; the last time: ${errorMessage}`,
  };
}

function isExpired(core: Core, job: JobEntry, atMs: number): boolean {
  return (core.state.jobs.extras.expiresAtMs.get(job.slot) ?? Number.POSITIVE_INFINITY) <= atMs;
}

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
