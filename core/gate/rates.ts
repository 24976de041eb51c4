/**
 * What an agent, a provider or one of its models lets through: requests and tokens a minute, and calls in
 * flight. Pure: `(gate, event, now) -> gate`, and the question when a call fits. A call passes when all of
 * its gates are open at once; an engine keeps gates and calls as it likes, in memory alone.
 *
 * Tokens are taken before a call by what calls of its agent used so far, and set right when it ended: a
 * gate may then owe some, which the next calls wait for.
 */

import {
  type Ceiling,
  ceilingOf,
  newCeiling,
  withAnswered,
  withGranted,
  withThrottled,
} from './ceiling.ts';

/** What a configuration allows; null for no such limit. */
export interface RateTerms {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly concurrency: number | null;
}

/** The terms of one gate. */
export interface GateTerms extends RateTerms {
  /** Whether a ceiling is learned, below `concurrency`; `local` for a server on this machine. */
  readonly ceiling: 'none' | 'learned' | 'local';
}

export interface CallTokens {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What a call takes of each allowance. */
export interface Amounts {
  readonly requests: number;
  readonly tokens: number;
  readonly input: number;
  readonly output: number;
}

/** What a provider said of one of its own limits. */
export interface Allowance {
  readonly kind: keyof Amounts;
  readonly limit: number;
  readonly left: number;
  /** Time until `left` is `limit` again. */
  readonly fullInMs: number;
}

interface Bucket {
  readonly limit: number;
  readonly perMs: number;
  /** Below 0 when calls used more than they had taken. */
  readonly left: number;
  readonly atMs: number;
}

export interface RateGate {
  /** Calls that were granted and have not ended. */
  readonly inFlight: number;
  /** Limits of the configuration. */
  readonly configured: Partial<Record<keyof Amounts, Bucket>>;
  /** Limits of the provider, as it said them last. */
  readonly heard: Partial<Record<keyof Amounts, Bucket>>;
  readonly ceiling: Ceiling | null;
  /** The provider asked to wait until then. */
  readonly closedUntilMs: number;
  /** Of the latest calls, oldest first. */
  readonly used: readonly CallTokens[];
  /** When something happened last. */
  readonly atMs: number;
}

/** How a call ended. */
export type CallWord =
  /** What it used is null where no one knows. */
  | { readonly end: 'answered' | 'failed'; readonly used: CallTokens | null }
  | { readonly end: 'throttled'; readonly retryAfterMs: number }
  /** It never left: nothing of it counts. */
  | { readonly end: 'unsent' };

export type RateEvent =
  | { readonly type: 'granted'; readonly took: Amounts }
  | {
      readonly type: 'ended';
      readonly took: Amounts;
      readonly word: CallWord;
      readonly allowances: readonly Allowance[];
    };

const kinds = ['requests', 'tokens', 'input', 'output'] as const;
/** A minute's worth is let through in portions of at most ten seconds. */
const burstShare = 1 / 6;
const minuteMs = 60_000;
const nothing: Amounts = { requests: 0, tokens: 0, input: 0, output: 0 };
/** Calls by which the next is estimated, from the fifth on. */
const usedMax = 64;
const usedMin = 5;
const margin = 1.2;
/** Longest wait that a provider may ask for. */
const closedMsMax = 15 * minuteMs;
/** Of a sum of parts of tokens. */
const tolerance = 1e-6;

export function newRateGate(nowMs: number): RateGate {
  const none = { configured: {}, heard: {}, ceiling: null, used: [] };
  return { inFlight: 0, ...none, closedUntilMs: 0, atMs: nowMs };
}

/**
 * What a call of the agent takes: 1.2 times what 95 of 100 of its latest calls stayed below.
 * @param stated what its consumer expects of it, which counts as long as fewer than five calls are known
 */
export function estimateOf({ used }: RateGate, stated: CallTokens): Amounts {
  const amounts = (calls: readonly CallTokens[], of: (values: number[]) => number): Amounts => ({
    requests: 1,
    tokens: of(calls.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens)),
    input: of(calls.map(({ inputTokens }) => inputTokens)),
    output: of(calls.map(({ outputTokens }) => outputTokens)),
  });
  if (used.length < usedMin) return amounts([stated], ([value = 0]) => value);
  return amounts(used, (values) => Math.ceil(margin * highOf(values)));
}

/** When a call that takes this much fits: now or before, later, or never by time alone (infinite). */
export function opensAtMs(gate: RateGate, terms: GateTerms, take: Amounts, nowMs: number): number {
  if (gate.inFlight >= mostInFlight(gate, terms)) return Number.POSITIVE_INFINITY;
  let opensMs = gate.closedUntilMs;
  for (const kind of kinds) {
    for (const bucket of [configuredOf(gate, terms, kind, nowMs), gate.heard[kind]]) {
      if (bucket !== undefined) opensMs = Math.max(opensMs, bucketOpensMs(bucket, take[kind]));
    }
  }
  return opensMs;
}

export function stepRates(
  gate: RateGate,
  terms: GateTerms,
  event: RateEvent,
  nowMs: number,
): RateGate {
  const { took } = event;
  if (event.type === 'granted') {
    const inFlight = gate.inFlight + 1;
    const ceiling = ceilingIn(gate, terms);
    return {
      ...taking(gate, terms, took, nowMs),
      inFlight,
      ceiling: ceiling && withGranted(ceiling, ceilingTerms(terms), inFlight),
    };
  }
  const { word, allowances } = event;
  const settled = taking(gate, terms, owedBy(took, word), nowMs);
  const heard = { ...settled.heard };
  if (hasCeiling(terms)) {
    for (const said of allowances) heard[said.kind] = heardBucket(said, heard[said.kind], nowMs);
  }
  const inFlight = Math.max(0, gate.inFlight - 1);
  return afterWord({ ...settled, heard, inFlight }, terms, word, nowMs);
}

/** Most calls in flight; infinite for no limit. */
function mostInFlight(gate: RateGate, terms: GateTerms): number {
  const ceiling = ceilingIn(gate, terms);
  if (ceiling !== null) return ceilingOf(ceiling, ceilingTerms(terms));
  return terms.concurrency ?? Number.POSITIVE_INFINITY;
}

function ceilingIn({ ceiling }: RateGate, terms: GateTerms): Ceiling | null {
  return hasCeiling(terms) ? (ceiling ?? newCeiling(ceilingTerms(terms))) : null;
}

function hasCeiling({ ceiling }: GateTerms): boolean {
  return ceiling !== 'none';
}

function ceilingTerms({ concurrency, ceiling }: GateTerms) {
  return { concurrency, isLocal: ceiling === 'local' };
}

function afterWord(gate: RateGate, terms: GateTerms, word: CallWord, nowMs: number): RateGate {
  const ceiling = ceilingIn(gate, terms);
  if (word.end === 'throttled') {
    if (ceiling === null) return gate;
    const waitMs = Math.min(word.retryAfterMs, closedMsMax);
    const closedUntilMs = Math.max(gate.closedUntilMs, waitMs > 0 ? nowMs + waitMs : 0);
    return { ...gate, closedUntilMs, ceiling: withThrottled(ceiling, waitMs, nowMs) };
  }
  if (word.end === 'unsent' || word.used === null) return { ...gate, ceiling };
  return {
    ...gate,
    used: [...gate.used.slice(1 - usedMax), word.used],
    ceiling:
      word.end === 'answered' && ceiling !== null
        ? withAnswered(ceiling, ceilingTerms(terms), nowMs)
        : ceiling,
  };
}

/** What the call used beyond what it took; below 0 for what it gives back. */
function owedBy(took: Amounts, word: CallWord): Amounts {
  if (word.end === 'unsent') return less(nothing, took);
  // A refused request is one, and uses no tokens.
  if (word.end === 'throttled') return less({ ...nothing, requests: took.requests }, took);
  if (word.used === null) return nothing;
  const { inputTokens: input, outputTokens: output } = word.used;
  return less({ requests: took.requests, tokens: input + output, input, output }, took);
}

function less(one: Amounts, other: Amounts): Amounts {
  return {
    requests: one.requests - other.requests,
    tokens: one.tokens - other.tokens,
    input: one.input - other.input,
    output: one.output - other.output,
  };
}

/** The gate with so much less in its buckets. */
function taking(gate: RateGate, terms: GateTerms, amounts: Amounts, nowMs: number): RateGate {
  const configured: RateGate['configured'] = {};
  const heard: RateGate['heard'] = {};
  for (const kind of kinds) {
    const own = configuredOf(gate, terms, kind, nowMs);
    if (own !== undefined) configured[kind] = lessIn(own, amounts[kind]);
    const said = gate.heard[kind];
    if (said !== undefined) heard[kind] = lessIn(filled(said, nowMs), amounts[kind]);
  }
  return { ...gate, configured, heard, atMs: nowMs };
}

/** Filled up until now, by the terms as they are now. */
function configuredOf(
  { configured }: RateGate,
  { requestsPerMinute, tokensPerMinute }: GateTerms,
  kind: keyof Amounts,
  nowMs: number,
): Bucket | undefined {
  const limits = {
    requests: requestsPerMinute,
    tokens: tokensPerMinute,
    input: null,
    output: null,
  };
  const perMinute = limits[kind];
  if (perMinute === null) return undefined;
  const limit = Math.max(1, perMinute * burstShare);
  const perMs = perMinute / minuteMs;
  const known = configured[kind];
  if (known === undefined) return { limit, perMs, left: limit, atMs: nowMs };
  return filled({ ...known, limit, perMs }, nowMs);
}

function filled(bucket: Bucket, nowMs: number): Bucket {
  const { limit, perMs, left, atMs } = bucket;
  return { ...bucket, left: Math.min(limit, left + perMs * (nowMs - atMs)), atMs: nowMs };
}

function lessIn(bucket: Bucket, amount: number): Bucket {
  return { ...bucket, left: Math.min(bucket.limit, bucket.left - amount) };
}

/** What never fits counts as all that fits: it leaves a debt behind. */
function bucketOpensMs({ limit, perMs, left, atMs }: Bucket, amount: number): number {
  const missing = Math.min(amount, limit) - left;
  return missing <= tolerance ? 0 : atMs + missing / perMs;
}

/** Servers let go of what was used bit by bit, and say when none of it counts any more. */
function heardBucket(said: Allowance, known: Bucket | undefined, nowMs: number): Bucket {
  const { limit, fullInMs } = said;
  const left = Math.min(said.left, limit);
  const isGrowing = left < limit && fullInMs > 0;
  const perMs = isGrowing ? (limit - left) / fullInMs : (known?.perMs ?? limit / minuteMs);
  return { limit, perMs, left, atMs: nowMs };
}

/** That which 95 of 100 are not above. */
function highOf(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0;
}
