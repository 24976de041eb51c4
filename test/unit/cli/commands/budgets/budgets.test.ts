/** What `aiq budgets` prints of budgets, and what it asks of the engine. */

import { describe, expect, test } from 'vitest';
import {
  listBudgets,
  raiseBudget,
  removeBudget,
  setBudgets,
  settleBudget,
  showBudget,
} from '../../../../../core/cli/commands/budgets/budgets-action.ts';
import { waitingText } from '../../../../../core/cli/output/budget-view.ts';
import type { BudgetConfig } from '../../../../../core/config/index.ts';
import type { BudgetState } from '../../../../../core/job-queue/index.ts';
import { daily, dailyTerms, moneySession } from '../../money-fakes.ts';

const used: BudgetState = {
  ...daily,
  settledMicros: 2_000_000,
  heldMicros: 100_000,
  unknownMicros: 400_000,
  parked: 12,
};
const forever: BudgetState = {
  ...daily,
  terms: { ...dailyTerms, name: 'search', per: 'all', agent: 'search', tag: 'x' },
  period: null,
};

describe('list', () => {
  test('has a line for each, whose amounts add up', async () => {
    const { session, results } = moneySession({ states: [used, forever] });
    expect(await listBudgets(session)).toBe('ok');
    expect(results.map((line) => line.split('\t'))).toEqual([
      ['daily', '3 USD', 'day', '2', '0.1', '0.4', '0.5', '12', '2026-12-02T00:00Z', 'all'],
      ['search', '3 USD', 'all', '0', '0', '0', '3', '0', '-', 'agent search, tag x'],
    ]);
  });

  test('has no sum of what each job may cost by itself', async () => {
    const terms = { ...dailyTerms, name: 'summarize.maxCost', per: 'job' } as const;
    const state = { ...used, terms, period: null };
    const { session, results, changes } = moneySession({ states: [state] });
    await listBudgets(session);
    expect(results[0]?.split('\t').slice(2)).toEqual([
      'job',
      '2',
      '0.1',
      '0.4',
      '-',
      '12',
      '-',
      'all',
    ]);
    expect(waitingText(state, 12)).toContain('(3 USD for each job)');
    await raiseBudget(session, 'summarize.maxCost', '1');
    expect(changes).toHaveLength(1);
  });

  test('as JSON has exact millionths and ISO times', async () => {
    const { session, results } = moneySession({ states: [used], json: true });
    await listBudgets(session);
    expect(results.map((line) => JSON.parse(line) as object)).toEqual([
      {
        ...dailyTerms,
        termsAmountMicros: 3_000_000,
        amountMicros: 3_000_000,
        periodStart: '2026-12-01T00:00:00.000Z',
        periodEnd: '2026-12-02T00:00:00.000Z',
        settledMicros: 2_000_000,
        heldMicros: 100_000,
        unknownMicros: 400_000,
        leftMicros: 500_000,
        overBound: [],
        parked: 12,
      },
    ]);
  });

  test('of none says how there comes to be one', async () => {
    const none = moneySession({});
    expect(await listBudgets(none.session)).toBe('ok');
    expect(none.notes.join()).toContain('docs/guides/money.md');
    const written = moneySession({ written: [dailyTerms as BudgetConfig] });
    await listBudgets(written.session);
    expect(written.notes.join()).toContain('aiq budgets set');
  });
});

describe('show', () => {
  test('says what is used, who waits, and what to do about all of it', async () => {
    const state = { ...used, amountMicros: 4_000_000, overBound: ['gpt-5-mini'] };
    const { session, results } = moneySession({ states: [state] });
    expect(await showBudget(session, 'daily')).toBe('ok');
    expect(results).toEqual([
      'budget      daily',
      'amount      4 USD, in place of 3 USD',
      'per         day in UTC',
      'calls of    all',
      'settled     2 USD',
      'held        0.1 USD',
      'unknown     0.4 USD',
      'left        1.5 USD',
      'until       2026-12-02T00:00Z',
      'over bound  gpt-5-mini',
      'waiting     12 jobs',
      '',
      'budget daily: 50 % of it is used (2.4 of 4 USD used); it begins anew at 2026-12-02T00:00Z',
      '',
      '12 jobs wait for room in it: aiq budgets raise daily <amount> runs them, and so does the next day.',
      '',
      'Of some calls it is not known what they cost: 0.4 USD at most, which counts until it is known. ' +
        'What your provider billed for them: aiq budgets settle daily <amount>.',
      '',
      'gpt-5-mini was billed above what a call can cost by its price, so none of its calls starts here. ' +
        'Check the price (aiq prices gpt-5-mini); aiq budgets raise daily <amount> lets them start again.',
    ]);
  });

  test.each([
    [1_499_999, 'waiting'],
    [1_500_000, '50 % of it is used'],
    [2_399_999, '50 % of it is used'],
    [2_400_000, '80 % of it is used'],
    [3_000_000, 'all of it is used'],
    [3_500_000, 'all of it is used (3.5 of 3 USD used)'],
  ])('%i millionths of 3 USD are a warning as they should be', async (settledMicros, text) => {
    const { session, results } = moneySession({ states: [{ ...daily, settledMicros }] });
    await showBudget(session, 'daily');
    expect(results.at(-1)).toContain(text);
  });

  test.each([
    ['dialy', 'Did you mean "daily"?'],
    ['nothing-like-it', 'See: aiq budgets list'],
    ['search', 'The configuration has it, the broker not yet: aiq budgets set search'],
  ])('of %s ends with 5 and a hint', async (name, hint) => {
    const written = [forever.terms as BudgetConfig];
    const { session } = moneySession({ states: [daily], written });
    await expect(showBudget(session, name)).rejects.toMatchObject({
      exit: 'notFound',
      message: `no budget "${name}"`,
      details: [hint],
    });
  });
});

describe('set', () => {
  const written = [dailyTerms, forever.terms] as BudgetConfig[];

  test('replaces all terms, or those that are named', async () => {
    const all = moneySession({ states: [daily, forever], written });
    expect(await setBudgets(all.session, [])).toBe('ok');
    expect(all.changes).toEqual([JSON.stringify(['set', written, { replace: true }])]);
    expect(all.notes).toEqual(['set daily', 'set search']);
    const one = moneySession({ states: [daily, forever], written });
    await setBudgets(one.session, ['search']);
    expect(one.changes).toEqual([JSON.stringify(['set', [forever.terms], { replace: true }])]);
  });

  test('changes nothing when one is not in the file, or none is', async () => {
    const { session, changes } = moneySession({ written });
    await expect(setBudgets(session, ['daily', 'serch'])).rejects.toMatchObject({
      exit: 'notFound',
      details: ['Did you mean "search"?'],
    });
    await expect(setBudgets(moneySession({}).session, [])).rejects.toMatchObject({
      exit: 'notFound',
      message: 'the configuration names no budgets',
    });
    expect(changes).toEqual([]);
  });
});

describe('raise', () => {
  test.each([
    ['5', 5_000_000],
    ['2.500001', 2_500_001],
    ['5 USD', 5_000_000],
  ])('takes %s', async (amount, micros) => {
    const { session, changes, notes } = moneySession({ states: [used] });
    expect(await raiseBudget(session, 'daily', amount)).toBe('ok');
    expect(changes).toEqual([JSON.stringify(['raise', 'daily', micros])]);
    expect(notes.join()).toContain('12 jobs that waited for it run on as far as there is room');
  });

  test.each([
    ['2.5', '2.5 USD is not above what is used and held of budget "daily": 2.5 USD'],
    ['5 EUR', '"5 EUR" is in EUR, and budget "daily" in USD'],
    ['five', '"five" is not an amount in USD, with up to 6 decimals'],
    ['5USD', '"5USD" is not an amount in USD, with up to 6 decimals'],
    ['1e3', '"1e3" is not an amount in USD, with up to 6 decimals'],
    ['+1', '"+1" is not an amount in USD, with up to 6 decimals'],
    ['0.0000001', '"0.0000001" is not an amount in USD, with up to 6 decimals'],
    ['', '"" is not an amount in USD, with up to 6 decimals'],
  ])('refuses %j', async (amount, message) => {
    const { session, changes } = moneySession({ states: [used] });
    const raising = raiseBudget(session, 'daily', amount);
    await expect(raising).rejects.toMatchObject({ exit: 'usage', message });
    expect(changes).toEqual([]);
  });
});

test('settle says what unknown calls cost, and is refused where there are none', async () => {
  const { session, changes, notes } = moneySession({ states: [used, forever] });
  expect(await settleBudget(session, 'daily', '0')).toBe('ok');
  expect(changes).toEqual([JSON.stringify(['settle', 'daily', 0, 400_000])]);
  expect(notes).toEqual(['the unknown calls of budget daily cost 0 USD, not up to 0.4']);
  const refused = settleBudget(session, 'search', '1');
  await expect(refused).rejects.toMatchObject({ exit: 'usage' });
});

test('remove says who runs on, and that the file brings it back', async () => {
  const written = [dailyTerms as BudgetConfig];
  const { session, changes, notes } = moneySession({ states: [used], written });
  expect(await removeBudget(session, 'daily')).toBe('ok');
  expect(changes).toEqual([JSON.stringify(['remove', ['daily']])]);
  expect(notes).toEqual([
    'removed budget daily; 12 jobs that waited for it run on',
    '/p/aiq.config.yaml still has it: the next aiq run makes it known again',
  ]);
});
