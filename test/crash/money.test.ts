/**
 * A budget whose consumers and broker are killed: no more is billed than its amount, and all that is billed is
 * counted. The whole programme: `npm run test:money`.
 */

import { expect, test } from 'vitest';
import { capDrill } from '../money/cap.ts';

test('160 jobs stay below their cap, over kills of consumers and broker', async () => {
  const report = await capDrill({
    seed: 7,
    jobs: 160,
    isPlain: false,
    killEvery: { consumerMs: 1_500, brokerMs: 3_000 },
    unrestMs: { first: 4_000, again: 2_000 },
    signal: new AbortController().signal,
  });
  expect(report.problems).toEqual([]);
  expect(report.atCap.parked).toBeGreaterThan(0);
  expect(report.looks).toBeGreaterThan(0);
});
