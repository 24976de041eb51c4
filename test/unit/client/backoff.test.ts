/** The pauses between attempts to connect. */

import { expect, test } from 'vitest';
import { backoffMs } from '../../../core/client/backoff.ts';

test('the first attempt does not wait', () => {
  expect(backoffMs(0)).toBe(0);
});

test('pauses double up to a cap, however often it failed', () => {
  const most = [1, 2, 3, 4, 8, 9, 50, 100_000].map((failures) => backoffMs(failures, () => 1));
  expect(most).toEqual([20, 40, 80, 160, 2560, 3000, 3000, 3000]);
});

test('jitter takes away at most half', () => {
  expect(backoffMs(4, () => 0)).toBe(80);
  expect(backoffMs(4, () => 0.5)).toBe(120);
});
