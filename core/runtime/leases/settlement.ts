/**
 * How the end of a run settles its lease. The classes of failure and what they cost stand in one
 * table, so that `docs/guides/agents.md` can be held against it.
 */

import type { Agent } from '../../agent/index.ts';
import { backoffMs, withJitter } from '../../base/index.ts';
import type { Verdict } from '../../health/index.ts';
import { type Job, type Settle, type SettleOutcome, shortId } from '../../job-queue/index.ts';
import { packPrompts } from '../attempt/prompts.ts';
import type { JobFailure } from '../attempt/result.ts';
import { queueUsage } from '../attempt/usage.ts';
import { noteOf } from '../outputs/note.ts';
import type { Prepared } from '../outputs/projection.ts';
import type { RunEnd } from '../pool/run.ts';

/** Longest wait that a provider may impose on a job. */
const retryAfterMsMax = 15 * 60_000;

type Delay = 'none' | 'backoff';

/**
 * Retry charges an attempt; throttled and returned charge nothing; final dead-letters. What a
 * provider is at fault for is `throttled` (see `failedSettle`); these are for when the job is.
 */
export const settlements: Readonly<
  Record<
    JobFailure['class'] | 'crashed' | 'bystander' | 'unstarted',
    { outcome: SettleOutcome; delay: Delay }
  >
> = {
  transient: { outcome: 'retry', delay: 'backoff' },
  permanent: { outcome: 'final', delay: 'none' },
  throttled: { outcome: 'retry', delay: 'backoff' },
  unavailable: { outcome: 'retry', delay: 'backoff' },
  blocked: { outcome: 'final', delay: 'none' },
  misconfigured: { outcome: 'retry', delay: 'backoff' },
  exhausted: { outcome: 'retry', delay: 'backoff' },
  aborted: { outcome: 'returned', delay: 'none' },
  parked: { outcome: 'returned', delay: 'none' },
  crashed: { outcome: 'crashed', delay: 'backoff' },
  bystander: { outcome: 'returned', delay: 'none' },
  unstarted: { outcome: 'returned', delay: 'none' },
};

export interface SettledJob {
  readonly retry: Agent['retry'];
  readonly attempt: number;
  readonly elapsedMs: number;
  /** Whose fault a failure of the provider's was; null for all others. */
  readonly verdict: Verdict | null;
  /** The files of a result; null for a failure. */
  readonly prepared: Pick<Prepared, 'names' | 'output'> | null;
  /** From 0 to 1: so that jobs that failed together do not come back together. */
  readonly random: () => number;
}

/**
 * Milliseconds until a failed job may run again. Exponential means full jitter: from 0 to the doubled
 * delay, so that jobs that failed together do not come back together.
 */
export function retryDelayMs(retry: Agent['retry'], attempt: number, random: () => number): number {
  const { delayMs, maxDelayMs } = retry;
  if (retry.backoff === 'fixed') return Math.min(delayMs, maxDelayMs);
  const doubled = backoffMs(Math.max(1, attempt), { minMs: delayMs, maxMs: maxDelayMs });
  return withJitter(doubled, random, 1);
}

/** The settle for the end of a run. */
export function settleOf(end: RunEnd, job: SettledJob): Settle {
  if (end.type === 'finished') {
    const { result } = end;
    const { usage, prompts } = result;
    const sent = {
      usage: queueUsage(usage),
      ...(prompts === null ? {} : { prompts: packPrompts(prompts) }),
    };
    if (!result.ok) return { ...failedSettle(result.failure, job), ...sent };
    const { names = [], output = null } = job.prepared ?? {};
    const made = output === null ? {} : { output };
    return { outcome: 'ack', note: noteOf(result, names, job.elapsedMs), ...sent, ...made };
  }
  const { outcome, delay } = settlements[end.type];
  const message = end.type === 'unstarted' ? 'the consumer stopped before it began' : end.message;
  const delayMs = delay === 'backoff' ? retryDelayMs(job.retry, job.attempt, job.random) : 0;
  const errorCode = end.type === 'crashed' ? end.cause : end.type;
  return { outcome, delayMs, errorCode, errorMessage: message };
}

function failedSettle(failure: JobFailure, job: SettledJob): Settle {
  const { code: errorCode, message: errorMessage, retryAfterMs, park } = failure;
  const { verdict } = job;
  if (verdict?.verdict === 'free') {
    // A little jitter keeps the jobs from coming back as one.
    const delayMs = Math.round(verdict.delayMs * (1 + job.random() / 10));
    const outcome = delayMs > 0 ? 'throttled' : 'returned';
    return { outcome, delayMs, errorCode, errorMessage };
  }
  const { outcome, delay } = settlements[failure.class];
  const retryMs = retryDelayMs(job.retry, job.attempt, job.random);
  const askedMs = Math.min(retryAfterMs ?? 0, retryAfterMsMax);
  return {
    outcome,
    delayMs: delay === 'none' ? 0 : Math.max(retryMs, askedMs),
    errorCode,
    errorMessage,
    ...(park === undefined ? {} : { park }),
  };
}

/** For a job of an older definition, whose work the next one does: both are one record, or nothing is. */
export function supersededSettle({ agent }: Job, next: Job): Settle {
  const errorMessage = `agent "${agent}" was changed: job ${shortId(next.id)} does the work with the present definition`;
  const note = JSON.stringify({ supersededBy: next.id });
  return { outcome: 'ack', errorCode: 'superseded', errorMessage, note, enqueue: [next] };
}

const noRoomMs = 15_000;
const putOffMsMin = 2_000;
const putOffMsMax = 5 * 60_000;

/** For a result that the broker has no room for now: what was paid is in the journal, and is not paid again. */
export function keptWaiting({ usage }: Settle, why: string): Settle {
  const errorMessage = `the broker cannot take the result now, which is kept in the journal: ${why}`;
  const common = { outcome: 'throttled', errorCode: 'no_room', errorMessage } as const;
  return { ...common, delayMs: noRoomMs, ...(usage && { usage }) };
}

/** For a result that no broker would take. */
export function tooLarge({ usage }: Settle, why: string): Settle {
  const errorMessage = `the result cannot be kept: ${why}`;
  return { outcome: 'final', errorCode: 'result_too_large', errorMessage, ...(usage && { usage }) };
}

/** For a job that others go before: longer each time, so that it comes back seldom. */
export function putOff(times: number, errorMessage: string): Settle {
  const delayMs = Math.min(putOffMsMin * 2 ** Math.min(times, 30), putOffMsMax);
  return { outcome: 'throttled', delayMs, errorCode: 'put_off', errorMessage };
}
