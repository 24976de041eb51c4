/**
 * How the end of a run settles its lease. The classes of failure and what they cost stand in one
 * table, so that `docs/agents.md` can be held against it.
 */

import type { Agent } from '../agent/index.ts';
import type { FailureClass } from '../model/index.ts';
import { limits, type Settle, type SettleOutcome } from '../queue/index.ts';
import { retryDelayMs } from './backoff.ts';
import type { JobFailure, JobSuccess } from './job/result.ts';
import { queueUsage } from './job/usage.ts';
import type { RunEnd } from './pool/run.ts';

/** Longest wait that a provider may impose on a job. */
const retryAfterMsMax = 15 * 60_000;
const retryAfterMsMin = 500;
/** Half of it to one and a half of it is the wait where the provider asks for none. */
const unaskedMs = 5_000;

type Delay = 'none' | 'backoff' | 'asked';

/** Retry charges an attempt; throttled and returned charge nothing; final dead-letters. */
export const settlements: Readonly<
  Record<
    FailureClass | 'crashed' | 'bystander' | 'unstarted',
    { outcome: SettleOutcome; delay: Delay }
  >
> = {
  transient: { outcome: 'retry', delay: 'backoff' },
  throttled: { outcome: 'throttled', delay: 'asked' },
  endpoint: { outcome: 'returned', delay: 'none' },
  permanent: { outcome: 'final', delay: 'none' },
  aborted: { outcome: 'returned', delay: 'none' },
  crashed: { outcome: 'crashed', delay: 'backoff' },
  bystander: { outcome: 'returned', delay: 'none' },
  unstarted: { outcome: 'returned', delay: 'none' },
};

export interface SettledJob {
  readonly retry: Agent['retry'];
  readonly attempt: number;
  readonly elapsedMs: number;
  /** From 0 to 1: so that jobs that failed together do not come back together. */
  readonly random: () => number;
}

/** The settle for the end of a run. */
export function settleOf(end: RunEnd, job: SettledJob): Settle {
  if (end.type === 'finished') {
    const { result } = end;
    if (!result.ok)
      return { ...failedSettle(result.failure, job), usage: queueUsage(result.usage) };
    const kept = result.result === null ? {} : { result: result.result };
    return {
      outcome: 'ack',
      note: noteOf(result, job.elapsedMs),
      usage: queueUsage(result.usage),
      ...kept,
    };
  }
  const { outcome, delay } = settlements[end.type];
  const message = end.type === 'unstarted' ? 'the consumer stopped before it began' : end.message;
  const delayMs = delay === 'backoff' ? retryDelayMs(job.retry, job.attempt, job.random) : 0;
  const errorCode = end.type === 'crashed' ? end.cause : end.type;
  return { outcome, delayMs, errorCode, errorMessage: message };
}

function failedSettle(failure: JobFailure, job: SettledJob): Settle {
  const { outcome, delay } = settlements[failure.class];
  const backoffMs = retryDelayMs(job.retry, job.attempt, job.random);
  const delays: Record<Delay, number> = {
    none: 0,
    backoff: Math.max(backoffMs, Math.min(failure.retryAfterMs ?? 0, retryAfterMsMax)),
    asked: Math.round(throttledMs(failure, job.random())),
  };
  const { code: errorCode, message: errorMessage } = failure;
  return { outcome, delayMs: delays[delay], errorCode, errorMessage };
}

/**
 * What was asked for is a minimum; a little jitter keeps the jobs from coming back as one. Nothing
 * is charged for coming back, so it must not happen too often either.
 */
function throttledMs({ retryAfterMs }: JobFailure, random: number): number {
  if (retryAfterMs === null) return unaskedMs * (0.5 + random);
  const askedMs = Math.min(Math.max(retryAfterMs, retryAfterMsMin), retryAfterMsMax);
  return askedMs * (1 + random / 10);
}

/** How long nothing new should go to a provider that throttled a call. */
export function holdMs({ retryAfterMs }: JobFailure): number {
  return Math.min(retryAfterMs ?? unaskedMs / 2, retryAfterMsMax);
}

/** What the job made, as JSON: as many file names as fit, and how many there are. */
export function noteOf(result: JobSuccess, elapsedMs: number): string {
  const { root, model, provider, usage } = result;
  const { cachedInputTokens, reasoningTokens } = usage;
  for (let count = result.files.length; ; count = Math.floor(count / 2)) {
    const files = result.files.slice(0, count);
    const more = result.files.length - count;
    const left = {
      ...(more > 0 ? { moreFiles: more } : {}),
      ...(result.result === null ? { resultLeftOut: true } : {}),
    };
    const tokens = {
      ...(cachedInputTokens > 0 ? { cachedInputTokens } : {}),
      ...(reasoningTokens > 0 ? { reasoningTokens } : {}),
    };
    const note = { root, files, ...left, provider, model, ...tokens };
    const text = JSON.stringify({ ...note, elapsedMs: Math.round(elapsedMs) });
    if (Buffer.byteLength(text) <= limits.noteBytesMax || count === 0) return text;
  }
}
