/** The gate of an agent, a provider or a model: what it lets through in a minute, and what it learns. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Allowance,
  type Amounts,
  type CallWord,
  estimateOf,
  type GateTerms,
  newRateGate,
  opensAtMs,
  type RateGate,
  stepRates,
} from '../../../core/gate/index.ts';

const unlimited: GateTerms = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  concurrency: null,
  ceiling: 'none',
};
const learning: GateTerms = { ...unlimited, ceiling: 'learned' };

const takes = (tokens: number): Amounts => ({ requests: 1, tokens, input: tokens, output: 0 });
const used = (tokens: number): CallWord => ({
  end: 'answered',
  used: { inputTokens: tokens, outputTokens: 0 },
});

function granted(gate: RateGate, terms: GateTerms, took: Amounts, nowMs: number): RateGate {
  return stepRates(gate, terms, { type: 'granted', took }, nowMs);
}

interface End {
  readonly took: Amounts;
  readonly word: CallWord;
  readonly allowances?: readonly Allowance[];
}

function ended(gate: RateGate, terms: GateTerms, end: End, nowMs: number): RateGate {
  return stepRates(gate, terms, { type: 'ended', allowances: [], ...end }, nowMs);
}

const isOpen = (gate: RateGate, terms: GateTerms, took: Amounts, nowMs: number): boolean =>
  opensAtMs(gate, terms, took, nowMs) <= nowMs;

describe('a gate', () => {
  test('lets through no more than its limit and the burst in any minute, for calls of any size', () => {
    const calls = fc.array(
      fc.record({ tokens: fc.integer({ min: 1, max: 900 }), pauseMs: fc.nat(4_000) }),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(calls, fc.integer({ min: 1, max: 60 }), (all, requestsPerMinute) => {
        const terms = { ...unlimited, requestsPerMinute, tokensPerMinute: 6_000 };
        let gate = newRateGate(0);
        let nowMs = 0;
        const sent: { atMs: number; tokens: number }[] = [];
        for (const { tokens, pauseMs } of all) {
          nowMs += pauseMs;
          const took = takes(tokens);
          // Waits exactly as long as it is told to: time alone opens it.
          nowMs = Math.max(nowMs, opensAtMs(gate, terms, took, nowMs));
          expect(Number.isFinite(nowMs)).toBe(true);
          gate = granted(gate, terms, took, nowMs);
          gate = ended(gate, terms, { took, word: used(tokens) }, nowMs);
          sent.push({ atMs: nowMs, tokens });
        }
        for (const { atMs } of sent) {
          const minute = sent.filter((one) => one.atMs >= atMs && one.atMs < atMs + 60_000);
          const sum = minute.reduce((total, { tokens }) => total + tokens, 0);
          expect(minute.length).toBeLessThanOrEqual(
            requestsPerMinute + Math.max(1, requestsPerMinute / 6) + 1e-3,
          );
          expect(sum).toBeLessThanOrEqual(6_000 + 1_000 + 1e-3);
        }
      }),
    );
  });

  test('sets right what a call took, both ways', () => {
    const terms = { ...unlimited, tokensPerMinute: 6_000 };
    const open = granted(newRateGate(0), terms, takes(1_000), 0);
    expect(isOpen(open, terms, takes(1), 0)).toBe(false);
    const less = ended(open, terms, { took: takes(1_000), word: used(400) }, 0);
    expect(isOpen(less, terms, takes(600), 0)).toBe(true);
    const more = ended(open, terms, { took: takes(1_000), word: used(1_500) }, 0);
    expect(opensAtMs(more, terms, takes(100), 0)).toBe(6_000);
  });

  test('takes nothing for a call that never left, no tokens for one that was throttled, and all for one of which nothing is known', () => {
    const terms = { ...unlimited, tokensPerMinute: 6_000, requestsPerMinute: 12 };
    const took = takes(1_000);
    const open = granted(newRateGate(0), terms, took, 0);
    const after = (word: CallWord) => ended(open, terms, { took, word }, 0).configured;
    const left = (word: CallWord) => [after(word).requests?.left, after(word).tokens?.left];
    expect(left({ end: 'unsent' })).toEqual([2, 1_000]);
    expect(left({ end: 'throttled', retryAfterMs: 0 })).toEqual([1, 1_000]);
    expect(left({ end: 'failed', used: null })).toEqual([1, 0]);
  });

  test('lets a call through that is larger than a burst, and waits for what it used too much', () => {
    const terms = { ...unlimited, tokensPerMinute: 6_000 };
    expect(isOpen(newRateGate(0), terms, takes(3_000), 0)).toBe(true);
    const gate = granted(newRateGate(0), terms, takes(3_000), 0);
    expect(opensAtMs(gate, terms, takes(1_000), 0)).toBe(30_000);
  });

  test('keeps to what may be in flight, which only the end of a call changes', () => {
    const terms = { ...unlimited, concurrency: 2 };
    let gate = newRateGate(0);
    for (const _ of [1, 2]) gate = granted(gate, terms, takes(1), 0);
    expect(opensAtMs(gate, terms, takes(1), 0)).toBe(Number.POSITIVE_INFINITY);
    gate = ended(gate, terms, { took: takes(1), word: used(1) }, 0);
    expect(isOpen(gate, terms, takes(1), 0)).toBe(true);
  });

  test('follows limits that change', () => {
    const gate = granted(newRateGate(0), { ...unlimited, tokensPerMinute: 600 }, takes(100), 0);
    expect(opensAtMs(gate, { ...unlimited, tokensPerMinute: 6_000 }, takes(100), 0)).toBe(1_000);
    expect(isOpen(gate, unlimited, takes(1_000_000), 0)).toBe(true);
  });
});

describe('what calls take', () => {
  const stated = { inputTokens: 70, outputTokens: 30 };

  test('is what their consumer states as long as little is known', () => {
    let gate = newRateGate(0);
    expect(estimateOf(gate, stated)).toEqual({ requests: 1, tokens: 100, input: 70, output: 30 });
    for (const _ of [1, 2, 3, 4]) {
      gate = ended(gate, unlimited, { took: takes(1), word: used(1_000) }, 0);
    }
    expect(estimateOf(gate, stated).tokens).toBe(100);
  });

  test('is 1.2 times what 95 of 100 calls stayed below, of the latest calls', () => {
    let gate = newRateGate(0);
    for (let at = 1; at <= 200; at++) {
      const tokens = at <= 100 ? 9_000 : at % 32 === 0 ? 1_000 : 100;
      gate = ended(gate, unlimited, { took: takes(1), word: used(tokens) }, 0);
    }
    expect(estimateOf(gate, stated)).toMatchObject({ requests: 1, tokens: 120, output: 0 });
    expect(gate.used).toHaveLength(64);
  });
});

describe('what a provider says', () => {
  const took = takes(10);
  const told = (allowances: Allowance[], word = used(10)): RateGate =>
    ended(granted(newRateGate(0), learning, took, 0), learning, { took, word, allowances }, 0);

  test('of its limits is kept to: what is left, and what comes back until all of it is there', () => {
    const gate = told([
      { kind: 'requests', limit: 60, left: 0, fullInMs: 60_000 },
      { kind: 'output', limit: 100, left: 100, fullInMs: 0 },
    ]);
    expect(opensAtMs(gate, learning, took, 0)).toBe(1_000);
    const answer = { ...took, output: 50 };
    const two = granted(granted(gate, learning, answer, 1_000), learning, answer, 2_000);
    expect(opensAtMs(two, learning, { ...answer, output: 40 }, 3_000)).toBeGreaterThan(3_000);
  });

  test('about waiting shuts the gate for that long, and at most for a quarter of an hour', () => {
    const waits = (retryAfterMs: number) => told([], { end: 'throttled', retryAfterMs });
    expect(opensAtMs(waits(3_000), learning, took, 1_000)).toBe(3_000);
    expect(opensAtMs(waits(1e9), learning, took, 0)).toBe(900_000);
    expect(isOpen(waits(0), learning, took, 0)).toBe(true);
  });

  test('counts for its model alone', () => {
    const said = [{ kind: 'requests', limit: 60, left: 0, fullInMs: 60_000 }] as const;
    const end = {
      took,
      word: { end: 'throttled', retryAfterMs: 9_000 },
      allowances: said,
    } as const;
    const gate = ended(granted(newRateGate(0), unlimited, took, 0), unlimited, end, 0);
    expect(isOpen(gate, unlimited, took, 0)).toBe(true);
  });
});
