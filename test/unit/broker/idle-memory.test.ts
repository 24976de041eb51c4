/** When a thread gives memory back: after a burst, also when somebody still works with it. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { IdleMemory } from '../../../core/broker/idle-memory.ts';

const mebibyte = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A thread whose memory grows by itself, with collections that take so long each. */
function threadWith({ collectionMs = 10 } = {}) {
  const state = {
    bytes: 10 * mebibyte,
    liveBytes: 10 * mebibyte,
    workMs: 0,
    processorMs: 0,
    collections: 0,
  };
  const memory = new IdleMemory({
    collect: () => {
      state.collections += 1;
      state.bytes = state.liveBytes;
      state.processorMs += collectionMs;
    },
    bytesTaken: () => state.bytes,
    workMs: () => state.workMs,
    processorMs: () => state.processorMs,
    nowMs: () => performance.now(),
  });
  /** So many seconds, each with something done that takes this share of it and leaves so much garbage. */
  const work = (seconds: number, share: number, garbageBytes: number): void => {
    for (let tick = 0; tick < seconds * 10; tick++) {
      memory.touch();
      state.workMs += 100 * share;
      state.bytes += garbageBytes / 10;
      vi.advanceTimersByTime(100);
    }
  };
  return { memory, state, work };
}

test('what a burst left goes back though somebody still works a little', () => {
  const { state, work } = threadWith();
  work(3, 0.9, 100 * mebibyte);
  expect(state.collections).toBe(0);
  work(3, 0.1, 0);
  expect([state.collections, state.bytes]).toEqual([1, state.liveBytes]);
});

test('nothing is collected amid much work, nor for little garbage amid a little', () => {
  const { state, work } = threadWith();
  work(2, 0.1, 0);
  work(20, 0.9, 10 * mebibyte);
  const before = state.collections;
  work(3, 0.1, 0);
  expect(state.collections).toBe(before + 1);
  work(20, 0.1, mebibyte);
  expect(state.collections).toBe(before + 1);
});

test('whoever only renews a lease now and then keeps no more from going back than nobody does', () => {
  const { state, work } = threadWith();
  work(3, 0.9, 4 * mebibyte);
  work(3, 0.01, 0);
  expect([state.collections, state.bytes]).toEqual([1, state.liveBytes]);
});

test('collections take a hundredth of the time at most while somebody works', () => {
  const { state, work } = threadWith({ collectionMs: 50 });
  work(60, 0.1, 50 * mebibyte);
  expect(state.collections).toBeGreaterThan(5);
  expect(state.collections * 50).toBeLessThanOrEqual(60_000 / 100 + 50);
});

test('when nothing is done any more, little garbage goes as well, and nothing is looked at again', () => {
  const { state, work } = threadWith();
  work(1, 0.1, 6 * mebibyte);
  vi.advanceTimersByTime(2_000);
  expect(state.bytes).toBe(state.liveBytes);
  const { collections } = state;
  state.bytes += 100 * mebibyte;
  vi.advanceTimersByTime(10_000);
  expect(state.collections).toBe(collections);
  expect(vi.getTimerCount()).toBe(0);
});

test('what was needed while it was collected goes back later, when it is not needed any more', () => {
  const { state, work } = threadWith();
  state.liveBytes = 60 * mebibyte;
  work(3, 0.2, 60 * mebibyte);
  expect(state.bytes).toBe(state.liveBytes);
  // As when readers are cut off that had much on its way to them: hardly any work, and no new memory.
  state.liveBytes = 10 * mebibyte;
  work(1, 0.01, 0);
  vi.advanceTimersByTime(60_000);
  expect(state.bytes).toBe(state.liveBytes);
  expect(vi.getTimerCount()).toBe(0);
});

test('a thread that needs much for long and is asked now and then collects seldom', () => {
  const { state, work } = threadWith();
  state.liveBytes = 200 * mebibyte;
  work(3, 0.2, 200 * mebibyte);
  const before = state.collections;
  work(600, 0.01, 0);
  const collections = state.collections - before;
  expect(collections).toBeGreaterThan(0);
  expect(collections).toBeLessThanOrEqual(600 / 20);
});
