/** The ceiling of calls in flight: how it grows, falls, and finds one that no one names. */

import { expect, test } from 'vitest';
import {
  type Ceiling,
  type CeilingTerms,
  ceilingOf,
  newCeiling,
  withAnswered,
  withGranted,
  withThrottled,
} from '../../../core/gate/ceiling.ts';

const remote: CeilingTerms = { concurrency: null, isLocal: false };

/** A round in which all of the ceiling is in flight and answered. */
function fullRound(ceiling: Ceiling, terms = remote, nowMs = 0): Ceiling {
  const at = ceilingOf(ceiling, terms);
  let next = withGranted(ceiling, terms, at);
  for (let call = 0; call < at; call++) next = withAnswered(next, terms, nowMs);
  return next;
}

test('it doubles each clean round until the first call is throttled, then grows by a twentieth', () => {
  let ceiling = newCeiling(remote);
  expect(ceiling.at).toBe(20);
  ceiling = fullRound(fullRound(ceiling));
  expect(ceiling.at).toBe(80);
  ceiling = withThrottled(ceiling, 0, 0);
  expect(ceiling.at).toBe(64);
  expect(fullRound(ceiling, remote, 15_000).at).toBe(67);
  expect(fullRound({ ...ceiling, at: 7 }, remote, 15_000).at).toBe(8);
});

test('it falls once in an episode of fifteen seconds, which a named time extends', () => {
  const first = withThrottled(newCeiling(remote), 0, 0);
  expect(withThrottled(first, 0, 14_999).at).toBe(16);
  expect(withThrottled(first, 0, 15_000).at).toBe(12);
  const extended = withThrottled(first, 20_000, 10_000);
  expect(withThrottled(extended, 0, 19_999).at).toBe(16);
  expect(withThrottled(extended, 0, 20_000).at).toBe(12);
  expect(fullRound(extended, remote, 19_999)).toMatchObject({ at: 16, answered: 0 });
});

test('it is never below 1, nor above what is configured, and keeps to its start on this machine', () => {
  let ceiling = newCeiling({ ...remote, concurrency: 3 });
  expect(ceiling.at).toBe(3);
  expect(fullRound(ceiling, { ...remote, concurrency: 3 }).at).toBe(3);
  expect(ceilingOf(fullRound(newCeiling(remote)), { ...remote, concurrency: 5 })).toBe(5);
  for (let nowMs = 0; nowMs < 200_000; nowMs += 20_000) ceiling = withThrottled(ceiling, 0, nowMs);
  expect(ceiling.at).toBe(1);
  const local = { concurrency: null, isLocal: true };
  expect(fullRound(newCeiling(local), local).at).toBe(20);
});

test('a round in which it was not reached proves nothing', () => {
  let ceiling = newCeiling(remote);
  for (let call = 0; call < 100; call++) {
    ceiling = withAnswered(withGranted(ceiling, remote, 19), remote, 0);
  }
  expect(ceiling.at).toBe(20);
});

test('a hidden limit of 12 calls in flight is found, and held within 2, with few calls refused', () => {
  let ceiling = newCeiling(remote);
  const ends: number[] = [];
  let [calls, refused] = [0, 0];
  const seen = new Set<number>();
  for (let nowMs = 0; nowMs < 600_000; nowMs += 10) {
    while ((ends[0] ?? Infinity) <= nowMs) {
      ends.shift();
      ceiling = withAnswered(ceiling, remote, nowMs);
    }
    let isRefused = false;
    while (ends.length < ceilingOf(ceiling, remote) && !isRefused) {
      ceiling = withGranted(ceiling, remote, ends.length + 1);
      isRefused = ends.length >= 12;
      if (isRefused) ceiling = withThrottled(ceiling, 1_000, nowMs);
      else ends.push(nowMs + 500);
      if (nowMs > 60_000) {
        calls += 1;
        refused += isRefused ? 1 : 0;
      }
    }
    if (nowMs > 60_000) seen.add(ceilingOf(ceiling, remote));
  }
  expect(Math.min(...seen)).toBeGreaterThanOrEqual(10);
  expect(Math.max(...seen)).toBeLessThanOrEqual(14);
  expect(refused / calls).toBeLessThan(0.03);
});
