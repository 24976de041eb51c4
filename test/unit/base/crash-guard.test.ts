/** When a worker that died may start again. */

import { expect, it } from 'vitest';
import { createCrashGuard } from '../../../core/base/index.ts';

const limits = {
  windowMs: 1_000,
  freeCrashes: 0,
  crashesMax: 3,
  pause: { minMs: 10, maxMs: 1_000 },
};

it('waits longer before each restart and gives up when too many workers died in the window', () => {
  const guard = createCrashGuard(limits);
  expect([0, 1, 2, 3].map(guard)).toEqual([10, 20, 40, null]);
});

it('forgets what died before the window, so that rare deaths never add up', () => {
  const guard = createCrashGuard(limits);
  const everyHalfWindow = Array.from({ length: 20 }, (_, count) => guard(count * 500));
  expect(everyHalfWindow).toEqual([10, ...Array<number>(19).fill(20)]);
});

it('replaces the free crashes at once and then slows down, up to a limit', () => {
  const pause = { minMs: 1_000, maxMs: 30_000 };
  const guard = createCrashGuard({ windowMs: 60_000, freeCrashes: 5, crashesMax: Infinity, pause });
  const pauses = Array.from({ length: 12 }, (_, index) => guard(index));
  expect(pauses.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
  expect(pauses.slice(5)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(guard(70_000)).toBe(0);
});
