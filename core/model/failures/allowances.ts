/**
 * Reads the headers in which a server says what its limits leave: those of OpenAI and Groq
 * (`x-ratelimit-remaining-requests`), and of Anthropic (`anthropic-ratelimit-requests-remaining`).
 */

import { parseDuration } from '../../base/index.ts';

export interface HeaderReader {
  get(name: string): string | null;
}

/** What a limit leaves; numbers are whole. */
export interface Allowance {
  readonly kind: 'requests' | 'tokens' | 'input' | 'output';
  readonly limit: number;
  readonly left: number;
  /** Time until all of it is left again. */
  readonly fullInMs: number;
}

interface Limit {
  readonly kind: Allowance['kind'];
  readonly limit: string | null;
  readonly left: string | null;
  /** Milliseconds from now, not below 0; null where that is not said. */
  readonly resetMs: number | null;
}

const anthropicKinds = {
  requests: 'requests',
  tokens: 'tokens',
  input: 'input-tokens',
  output: 'output-tokens',
} as const;

/**
 * The limits of which all is said. Servers that count nothing say -1 or 0 (Azure): that is no limit.
 */
export function allowancesIn(headers: HeaderReader, nowMs: number): Allowance[] {
  return limitsIn(headers, nowMs).flatMap(({ kind, ...said }): Allowance[] => {
    const [limit, left] = [countIn(said.limit), countIn(said.left)];
    if (!limit || left === null || said.resetMs === null) return [];
    return [{ kind, limit, left, fullInMs: Math.ceil(said.resetMs) }];
  });
}

/** Milliseconds until the last of the limits that are used up begins anew; null when none is. */
export function usedUpForMs(headers: HeaderReader, nowMs: number): number | null {
  const waits = limitsIn(headers, nowMs).flatMap(({ left, resetMs }) =>
    left === '0' && resetMs !== null ? [resetMs] : [],
  );
  return waits.length === 0 ? null : Math.max(...waits);
}

function limitsIn(headers: HeaderReader, nowMs: number): Limit[] {
  const inOpenAi = (['requests', 'tokens'] as const).map((kind) => ({
    kind,
    limit: headers.get(`x-ratelimit-limit-${kind}`),
    left: headers.get(`x-ratelimit-remaining-${kind}`),
    resetMs: durationMs(headers.get(`x-ratelimit-reset-${kind}`)),
  }));
  const inAnthropic = (['requests', 'tokens', 'input', 'output'] as const).map((kind) => {
    const name = `anthropic-ratelimit-${anthropicKinds[kind]}`;
    return {
      kind,
      limit: headers.get(`${name}-limit`),
      left: headers.get(`${name}-remaining`),
      resetMs: untilMs(headers.get(`${name}-reset`), nowMs),
    };
  });
  return [...inOpenAi, ...inAnthropic];
}

function countIn(value: string | null): number | null {
  if (value === null || !/^\s*\d+\s*$/.test(value)) return null;
  return Number.isSafeInteger(Number(value)) ? Number(value) : null;
}

/** `6m0s`, `1.5s`, `20ms` or bare seconds. */
function durationMs(value: string | null): number | null {
  if (value === null) return null;
  if (isDecimal(value)) return Number(value) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(value)) return null;
  const parts = value.match(/[\d.]+[a-z]+/g) ?? [];
  return parts.reduce((totalMs, part) => totalMs + (parseDuration(part) ?? 0), 0);
}

/** A time as RFC 3339. */
function untilMs(value: string | null, nowMs: number): number | null {
  const atMs = value === null ? Number.NaN : Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

export function isDecimal(value: string): boolean {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(value);
}
