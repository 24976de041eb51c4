/** Calls, tokens and cost in plain words. */

import { expect, test } from 'vitest';
import { usageText } from '../../../../core/cli/output/usage-text.ts';

const usage = {
  calls: 3,
  inputTokens: 1200,
  outputTokens: 300,
  costMicros: 2100,
  estimated: false,
};

test.each([
  [{}, '3 calls, 1,200 tokens in, 300 out, cost 0.0021'],
  [
    { cachedInputTokens: 800, reasoningTokens: 120 },
    '3 calls, 1,200 tokens in (800 cached), 300 out (120 reasoning), cost 0.0021',
  ],
  [
    { costMicros: 1, estimated: true },
    '3 calls, 1,200 tokens in, 300 out, cost 0.000001 (partly estimated)',
  ],
  [{ calls: 1, costMicros: 0 }, '1 call, 1,200 tokens in, 300 out, cost 0.00'],
  [{ costMicros: 12_345_600_000 }, '3 calls, 1,200 tokens in, 300 out, cost 12345.60'],
  [
    { costMicros: null },
    '3 calls, 1,200 tokens in, 300 out, cost unknown (a model has no price: see aiq prices)',
  ],
  [{ calls: 0 }, ''],
])('%o is told as %j', (more, text) => {
  expect(usageText({ ...usage, ...more })).toBe(text);
});
