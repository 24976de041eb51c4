/**
 * Health of one model at one provider, seen from the calls that were made: may a call start, when is
 * it probed again, and whose fault a failure was. Pure: `(state, event, now) → (state, verdict)`,
 * no clock and no I/O, so that it can run in a process, a broker or a transaction.
 *
 * The rule behind all of it: a failure is a job's own only where other jobs of the model succeed
 * meanwhile. Everything else is the provider's, and holds its jobs without charging any.
 */

import { isSuspect, type JobOutcomes, noAnswers, noteAnswer, noteFailure } from './suspects.ts';

/** What a failed call says about its provider. */
export type ProviderFailure =
  /** Asks for patience; it works, and answers later. */
  | 'throttled'
  /** Does not work at the moment: refused, unresolved, server errors, cut streams, time-outs. */
  | 'unavailable'
  /** Cannot work as it is configured: address, key or model id. A person has to mend it. */
  | 'misconfigured'
  /** Quota or credit are used up. A person has to top it up, or a day to end. */
  | 'exhausted';

export type HealthStatus = 'ok' | ProviderFailure;

export interface Health {
  readonly status: HealthStatus;
  /** Code and sentence of the failure that began or renewed the status; empty when it is ok. */
  readonly code: string;
  readonly message: string;
  /** When the status began; for `ok` when the first event came. */
  readonly sinceMs: number;
  /** Nothing starts, and nothing is probed, before this time. */
  readonly untilMs: number;
  /** Pauses in a row without an answer in between. */
  readonly pauses: number;
  /** What comes when the pause is over: a free probe of the provider, or one job on trial. */
  readonly next: 'probe' | 'trial';
  /** The one job that may find out; null while none is under way. */
  readonly trial: string | null;
  /** When a call last brought an answer; null when none ever did. */
  readonly answeredAtMs: number | null;
  readonly jobs: JobOutcomes;
}

/** What a request of `GET /models` found. It proves address and key, never that a model is served. */
export type ProbeResult =
  /** Alive; `lists` says whether the model is among those listed, null where nothing is listed. */
  | { readonly found: 'alive'; readonly lists: boolean | null }
  /** It does not answer, or only with server errors. */
  | { readonly found: 'away' }
  /** The key is refused there. */
  | { readonly found: 'refused'; readonly message: string };

export type HealthEvent =
  | { readonly type: 'started'; readonly job: string }
  /** A call of the job brought an answer, whatever became of that answer. */
  | { readonly type: 'answered'; readonly job: string }
  | {
      readonly type: 'failed';
      readonly job: string;
      readonly failure: ProviderFailure;
      readonly code: string;
      readonly message: string;
      /** What the provider asked to wait; null where it named nothing. */
      readonly retryAfterMs: number | null;
    }
  /** The job ended without a word from the provider: stopped, or failed before its call. */
  | { readonly type: 'ended'; readonly job: string }
  | { readonly type: 'probed'; readonly result: ProbeResult };

/**
 * What a failure costs its job. `free`: nothing, it runs again after `delayMs`. `charged`: the fault
 * is its own.
 */
export type Verdict =
  | { readonly verdict: 'free'; readonly delayMs: number }
  | { readonly verdict: 'charged' };

export interface HealthStep {
  readonly health: Health;
  /** Only for `failed`. */
  readonly verdict: Verdict | null;
}

/** Pauses between probes double from the first to the last. */
const pauseMsMin = 1_000;
const pauseMsMax: Readonly<Record<ProviderFailure, number>> = {
  throttled: 5 * 60_000,
  unavailable: 60_000,
  misconfigured: 60_000,
  exhausted: 5 * 60_000,
};
/** A provider that throttles without naming a time is left alone for this long at first. */
const throttledMsMin = 2_500;
/** What a provider asks for is a minimum that has a floor: `Retry-After: 0` is no invitation. */
const askedMsMin = 500;
/** A listing without the model is believed, but not for ever: some servers do not list all they serve. */
const trialsUnlistedEvery = 5;

export function newHealth(nowMs: number): Health {
  return {
    status: 'ok',
    code: '',
    message: '',
    sinceMs: nowMs,
    untilMs: 0,
    pauses: 0,
    next: 'trial',
    trial: null,
    answeredAtMs: null,
    jobs: noAnswers,
  };
}

/** How many jobs may start now: all, the one that tries, or none. */
export function roomOf(health: Health, nowMs: number): number {
  if (health.status === 'ok') return Infinity;
  if (nowMs < health.untilMs) return 0;
  if (health.status === 'throttled') return Infinity;
  return health.next === 'trial' && health.trial === null ? 1 : 0;
}

/** When time alone changes what may start or calls for a probe; null when only an event can. */
export function opensAtMs(health: Health, nowMs: number): number | null {
  return health.status !== 'ok' && health.untilMs > nowMs ? health.untilMs : null;
}

/** Whether a probe is due now; its result is the event `probed`. */
export function wantsProbe(health: Health, nowMs: number): boolean {
  if (health.status === 'ok' || health.status === 'throttled') return false;
  return health.next === 'probe' && nowMs >= health.untilMs;
}

/** Whether jobs wait for the provider itself to come back, one trial at a time. */
export function isHeld({ status }: Health): boolean {
  return status !== 'ok' && status !== 'throttled';
}

/** Whether the job has to wait while other jobs of the model are at hand: suspects run last. */
export function isPutOff({ jobs }: Health, job: string): boolean {
  return isSuspect(jobs, job);
}

/** How long an outage may last before it counts as something that a person has to mend. */
export interface OutagePatience {
  readonly answeredMs: number;
  /** The same where no call has brought an answer yet: then it was hardly ever right. */
  readonly unansweredMs: number;
}

/** Whether waiting alone will not help. */
export function needsPerson(
  { status, sinceMs, answeredAtMs }: Health,
  nowMs: number,
  outage: OutagePatience,
): boolean {
  if (status === 'misconfigured' || status === 'exhausted') return true;
  if (status !== 'unavailable') return false;
  return nowMs - sinceMs >= (answeredAtMs === null ? outage.unansweredMs : outage.answeredMs);
}

export function step(health: Health, event: HealthEvent, nowMs: number): HealthStep {
  switch (event.type) {
    case 'started':
      return unjudged(isHeld(health) ? { ...health, trial: event.job } : health);
    case 'answered':
      return unjudged(answered(health, event.job, nowMs));
    case 'ended':
      return unjudged(health.trial === event.job ? { ...health, trial: null } : health);
    case 'probed':
      return unjudged(probed(health, event.result, nowMs));
    case 'failed':
      return failed(health, event, nowMs);
  }
}

function unjudged(health: Health): HealthStep {
  return { health, verdict: null };
}

function answered(health: Health, job: string, nowMs: number): Health {
  const jobs = noteAnswer(health.jobs, job);
  const ok = { ...newHealth(nowMs), answeredAtMs: nowMs, jobs };
  if (health.status === 'ok') return { ...ok, sinceMs: health.sinceMs };
  // An answer that was on its way does not end the pause that the provider asked for.
  if (health.status === 'throttled' && nowMs < health.untilMs) {
    return { ...health, pauses: 0, answeredAtMs: nowMs, jobs };
  }
  return ok;
}

function probed(health: Health, result: ProbeResult, nowMs: number): Health {
  if (!isHeld(health) || health.next !== 'probe') return health;
  if (result.found === 'away') return paused(health, nowMs);
  if (result.found === 'refused') {
    if (health.status === 'misconfigured') return paused(health, nowMs);
    const { message } = result;
    const found = {
      status: 'misconfigured',
      code: 'unauthorized',
      message,
      sinceMs: nowMs,
    } as const;
    return paused({ ...health, ...found }, nowMs);
  }
  const isWrongModel = health.status === 'misconfigured' && result.lists === false;
  if (isWrongModel && (health.pauses + 1) % trialsUnlistedEvery !== 0) return paused(health, nowMs);
  return { ...health, next: 'trial', trial: null };
}

/** The next pause of those that double. */
function paused(health: Health, nowMs: number): Health {
  const { status, pauses } = health;
  const longestMs = status === 'ok' ? pauseMsMin : pauseMsMax[status];
  const pauseMs = Math.min(pauseMsMin * 2 ** Math.min(pauses, 30), longestMs);
  const after = {
    pauses: pauses + 1,
    untilMs: nowMs + pauseMs,
    next: 'probe',
    trial: null,
  } as const;
  return { ...health, ...after };
}

function failed(
  health: Health,
  event: Extract<HealthEvent, { type: 'failed' }>,
  nowMs: number,
): HealthStep {
  if (event.failure === 'throttled') return throttled(health, event, nowMs);
  const { job, failure, code, message } = event;
  const wasTrial = health.trial === job;
  // The others that were under way when a hold began met the same cause, and show nothing new.
  if (isHeld(health) && !wasTrial) return { health, verdict: { verdict: 'free', delayMs: 0 } };
  // What a person has to mend is no job's fault; all else may be this one's.
  const isAnybodys = failure !== 'unavailable';
  const outcomes = isAnybodys ? { jobs: health.jobs, isOwn: false } : noteFailure(health.jobs, job);
  const after: Health = { ...health, jobs: outcomes.jobs, trial: null };
  if (outcomes.isOwn) return { health: after, verdict: { verdict: 'charged' } };
  const sinceMs = health.status === failure ? health.sinceMs : nowMs;
  const pauses = isHeld(health) ? health.pauses : 0;
  const held = paused({ ...after, status: failure, code, message, sinceMs, pauses }, nowMs);
  // Behind the others, so that the next trial is another job where there is one.
  const delayMs = isAnybodys ? 0 : 2 * (held.untilMs - nowMs);
  return { health: held, verdict: { verdict: 'free', delayMs } };
}

function throttled(
  health: Health,
  { job, code, message, retryAfterMs }: Extract<HealthEvent, { type: 'failed' }>,
  nowMs: number,
): HealthStep {
  // A provider that throttles answers: whatever held it before is over.
  const isNew = health.status !== 'throttled' || nowMs >= health.untilMs;
  const pauses = isNew ? health.pauses + 1 : health.pauses;
  const grownMs = Math.min(
    throttledMsMin * 2 ** Math.min(Math.max(0, pauses - 1), 30),
    pauseMsMax.throttled,
  );
  const askedMs = retryAfterMs === null ? null : Math.max(retryAfterMs, askedMsMin);
  // Asked for again and again, a time that is too short does not count as named.
  const waitMs = askedMs === null || pauses > 3 ? Math.max(askedMs ?? 0, grownMs) : askedMs;
  const untilMs = Math.max(health.status === 'throttled' ? health.untilMs : 0, nowMs + waitMs);
  const sinceMs = health.status === 'throttled' ? health.sinceMs : nowMs;
  const next: Health = {
    ...health,
    status: 'throttled',
    code,
    message,
    sinceMs,
    untilMs,
    pauses,
    trial: health.trial === job ? null : health.trial,
  };
  return { health: next, verdict: { verdict: 'free', delayMs: waitMs } };
}
