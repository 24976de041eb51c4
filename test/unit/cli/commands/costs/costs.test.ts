/** What `aiq costs` sums up, of which days. */

import { expect, test } from 'vitest';
import {
  daysOf,
  showCosts,
  sumCosts,
} from '../../../../../core/cli/commands/costs/costs-action.ts';
import { costRow, moneySession } from '../../money-fakes.ts';

const day = Date.UTC(2026, 10, 30) / 86_400_000;
const rows = [
  costRow({ day, calls: 2, inputTokens: 1_000, outputTokens: 300, settledMicros: 100_001 }),
  costRow({ day, agent: 'search', calls: 1, settledMicros: 3_000_000, heldMicros: 7 }),
  costRow({ day: day + 1, calls: 3, settledMicros: 200_002, unknownMicros: 50, unknownCalls: 1 }),
  costRow({ day: day + 1, model: 'mine', calls: 4, unpricedCalls: 4, estimatedCalls: 2 }),
];

test('without a key they are those of agent and model, the most expensive first', async () => {
  const { session, results, notes } = moneySession({ rows });
  expect(await showCosts(session, {})).toBe('ok');
  expect(results.map((line) => line.split('\t'))).toEqual([
    ['search', 'gpt-5-mini', '1', '0', '0', '3.00', '0.000007', '0.00'],
    ['summarize', 'gpt-5-mini', '6', '1000', '300', '0.300003', '0.00', '0.00005'],
    ['summarize', 'mine', '4', '0', '0', '0.00', '0.00', '0.00'],
  ]);
  expect(notes).toEqual([
    'total: 11 calls, 1000 tokens in, 300 out, settled 3.300003, held 0.000007, unknown 0.00005',
    '4 calls have no known cost: add prices (aiq prices)',
    '1 call has an unknown cost: UNKNOWN has what that can be at most',
    '2 calls have estimated tokens, for the provider sent no count',
  ]);
});

test.each(['agent', 'model', 'day'] as const)('by %s the sums add up', (by) => {
  for (const count of ['inputTokens', 'settledMicros', 'heldMicros', 'unknownMicros'] as const) {
    const total = sumCosts(rows, [by]).reduce((sum, one) => sum + one[count], 0);
    expect(total).toBe(rows.reduce((sum, row) => sum + row[count], 0));
  }
});

test('days come in their order, and as JSON with exact millionths', async () => {
  const { session, results } = moneySession({ rows, json: true });
  await showCosts(session, { by: 'day', since: '2026-11-30', until: '2026-11-30' });
  expect(results.map((line) => JSON.parse(line) as object)).toEqual([
    {
      day: '2026-11-30',
      calls: 3,
      inputTokens: 1_000,
      outputTokens: 300,
      settledMicros: 3_100_001,
      heldMicros: 7,
      unknownMicros: 0,
      unknownCalls: 0,
      unpricedCalls: 0,
      estimatedCalls: 0,
    },
  ]);
  expect(sumCosts(rows, ['day']).map(({ key }) => key)).toEqual([['2026-11-30'], ['2026-12-01']]);
});

test('none is no error', async () => {
  const { session, results, notes } = moneySession({});
  expect(await showCosts(session, { since: '7d' })).toBe('ok');
  expect(results).toEqual([]);
  expect(notes).toEqual(['no calls: nothing was asked of a model in these days']);
});

test('days are those of UTC, both included', () => {
  const nowMs = Date.UTC(2026, 11, 1, 9);
  expect(daysOf({}, nowMs)).toEqual({ since: 0, until: 2 ** 32 - 1 });
  expect(daysOf({ since: '2026-11-30', until: '2026-12-01' }, nowMs)).toEqual({
    since: day,
    until: day + 1,
  });
  expect(daysOf({ since: '7d', until: '12h' }, nowMs)).toEqual({ since: day - 6, until: day });
});

test.each([
  [{ since: 'yesterday' }, '--since: "yesterday" is not a day'],
  [{ until: '2026-11-31' }, '--until: "2026-11-31" is not a day'],
  [{ since: '2026-13-01' }, '--since: "2026-13-01" is not a day'],
  [{ since: '2026-11-30T08:00' }, '--since: "2026-11-30T08:00" is not a day'],
  [{ since: '2026-12-01', until: '2026-11-30' }, '--since must not be after --until'],
])('%j is refused', (flags, message) => {
  expect(() => daysOf(flags, 0)).toThrow(message);
});
