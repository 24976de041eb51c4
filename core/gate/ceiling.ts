/**
 * How many calls of one model at one provider may be in flight, learned from what the provider says: it
 * doubles until a call is throttled for the first time, then falls by a fifth once an episode and
 * grows by a twentieth each clean round.
 */

export interface Ceiling {
  readonly at: number;
  /** True until a call was throttled. */
  readonly isDoubling: boolean;
  /** The latest episode in which calls were throttled: in it the ceiling neither falls again nor grows. */
  readonly episodeAtMs: number;
  readonly calmAtMs: number;
  /** Calls that were answered in this round, which ends with as many as the ceiling. */
  readonly answered: number;
  /** The ceiling was reached in this round. One that no call waits for proves nothing. */
  readonly isReached: boolean;
}

const startAt = 20;
const episodeMs = 15_000;
const fall = 0.8;
const growth = 0.05;

export interface CeilingTerms {
  /** Most calls in flight that the configuration allows; null for no such limit. */
  readonly concurrency: number | null;
  /** A server on this machine has what memory it has: its ceiling stays below its start. */
  readonly isLocal: boolean;
}

export function newCeiling(terms: CeilingTerms): Ceiling {
  const at = Math.min(startAt, mostOf(terms));
  return { at, isDoubling: true, episodeAtMs: 0, calmAtMs: 0, answered: 0, isReached: false };
}

/** The configured limit may be lower than what was learned. */
export function ceilingOf({ at }: Ceiling, terms: CeilingTerms): number {
  return Math.min(at, mostOf(terms));
}

/** A call was granted, with which so many are in flight. */
export function withGranted(ceiling: Ceiling, terms: CeilingTerms, inFlight: number): Ceiling {
  const isReached = inFlight >= ceilingOf(ceiling, terms);
  return isReached && !ceiling.isReached ? { ...ceiling, isReached } : ceiling;
}

export function withAnswered(ceiling: Ceiling, terms: CeilingTerms, nowMs: number): Ceiling {
  if (nowMs < ceiling.calmAtMs) return ceiling;
  const answered = ceiling.answered + 1;
  const at = ceilingOf(ceiling, terms);
  if (answered < at) return { ...ceiling, answered };
  const grown = ceiling.isDoubling ? at * 2 : at + Math.max(1, Math.floor(at * growth));
  const next = ceiling.isReached ? Math.min(grown, mostOf(terms)) : at;
  return { ...ceiling, at: next, answered: 0, isReached: false };
}

/** @param retryAfterMs what the provider asked to wait; 0 where it named nothing */
export function withThrottled(ceiling: Ceiling, retryAfterMs: number, nowMs: number): Ceiling {
  if (nowMs < ceiling.calmAtMs) {
    // From its begin: calls that are throttled again and again must not make it endless.
    const calmAtMs = Math.max(ceiling.calmAtMs, ceiling.episodeAtMs + retryAfterMs);
    return { ...ceiling, calmAtMs };
  }
  return {
    at: Math.max(1, Math.floor(ceiling.at * fall)),
    isDoubling: false,
    episodeAtMs: nowMs,
    calmAtMs: nowMs + Math.max(episodeMs, retryAfterMs),
    answered: 0,
    isReached: false,
  };
}

function mostOf({ concurrency, isLocal }: CeilingTerms): number {
  const most = concurrency ?? Number.POSITIVE_INFINITY;
  return Math.max(1, isLocal ? Math.min(startAt, most) : most);
}
