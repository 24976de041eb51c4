/**
 * What becomes of a job when its lease ends. *Attempts* are charged failures; *crashes* count
 * vanished holders; *returns* count every time it came back uncharged, and have a cap, so that
 * nothing circles for ever.
 */

import type { JobState, Usage } from '../../protocol/index.ts';
import type { JobEntry } from './job-entry.ts';
import type { LeaseEnd, RecordOf } from './records.ts';

export interface LeaseEnding {
  readonly end: LeaseEnd;
  readonly delayMs: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly note: string;
  readonly usage: Usage;
}

/** Which counter each end raises, and whether the job may run again. */
const rules: Record<LeaseEnd, { charge: 'attempt' | 'return' | 'crash' | 'none'; again: boolean }> =
  {
    ack: { charge: 'none', again: false },
    retry: { charge: 'attempt', again: true },
    final: { charge: 'attempt', again: false },
    throttled: { charge: 'return', again: true },
    returned: { charge: 'return', again: true },
    crashed: { charge: 'crash', again: true },
    lost: { charge: 'crash', again: true },
  };

/** The record of a lease's end: pure, from the job as it is, the end and the wall clock. */
export function decideLeaseEnd(
  job: JobEntry,
  ending: LeaseEnding,
  atMs: number,
  returnsMax: number,
): RecordOf<'leaseEnded'> {
  const { charge, again } = rules[ending.end];
  // The first crash is free, because a neighbour may have caused it. The job then runs isolated,
  // and a crash there is its own.
  const attempts =
    job.attempts + (charge === 'attempt' || (charge === 'crash' && job.isolated) ? 1 : 0);
  const crashes = job.crashes + (charge === 'crash' ? 1 : 0);
  const free = charge === 'return' || (charge === 'crash' && !job.isolated);
  const returns = job.returns + (free ? 1 : 0);
  const exhausted = returns > returnsMax;
  const state = nextState(ending, again && attempts < job.attemptsMax && !exhausted);
  return {
    kind: 'leaseEnded',
    id: job.id,
    end: ending.end,
    state,
    dueAtMs: state === 'delayed' ? atMs + ending.delayMs : 0,
    attempts,
    crashes,
    returns,
    errorCode: exhausted ? 'returns_exhausted' : ending.errorCode,
    errorMessage: exhausted
      ? `came back ${returns} times without being charged; the last time: ${ending.errorMessage}`
      : ending.errorMessage,
    note: ending.note,
    usage: addUsage(job.usage, ending.usage),
    atMs,
  };
}

function nextState(ending: LeaseEnding, mayRunAgain: boolean): JobState {
  if (ending.end === 'ack') return 'done';
  if (!mayRunAgain) return 'dead';
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
