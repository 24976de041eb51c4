/** Pauses between attempts. */

import { expect, test } from 'vitest';
import { backoffMs, withJitter } from '../../../core/base/index.ts';

const range = { minMs: 20, maxMs: 3_000 };

test('the first attempt does not wait', () => {
  expect(backoffMs(0, range)).toBe(0);
});

test('pauses double up to a cap, however often it failed', () => {
  const pauses = [1, 2, 3, 4, 8, 9, 50, 100_000].map((failures) => backoffMs(failures, range));
  expect(pauses).toEqual([20, 40, 80, 160, 2560, 3000, 3000, 3000]);
});

test('jitter takes away at most its share', () => {
  expect(withJitter(160, () => 0)).toBe(80);
  expect(withJitter(160, () => 0.5)).toBe(120);
  expect(withJitter(160, () => 1)).toBe(160);
  expect(withJitter(160, () => 0, 1)).toBe(0);
});
