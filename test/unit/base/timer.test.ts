/** Timers beyond what the platform can hold. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startTimer } from '../../../core/base/index.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const dayMs = 86_400_000;

test.each([1, 1_000, 2 ** 31 - 1, 2 ** 31, 60 * dayMs, 365_250 * dayMs])(
  '%d ms are waited for, and not one less',
  (ms) => {
    const over = vi.fn();
    startTimer(ms, over);
    vi.advanceTimersByTime(ms - 1);
    expect(over).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(over).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  },
);

test('one that is cleared on its way never fires', () => {
  const over = vi.fn();
  const timer = startTimer(60 * dayMs, over);
  vi.advanceTimersByTime(30 * dayMs);
  timer.clear();
  expect(vi.getTimerCount()).toBe(0);
  expect(over).not.toHaveBeenCalled();
});
