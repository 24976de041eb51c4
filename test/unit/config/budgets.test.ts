/** `budgets` of the configuration: what they become, and what is wrong with those that cannot be used. */

import { expect, test } from 'vitest';
import { explainConfig } from '../../../core/config/index.ts';
import type { BudgetTerms } from '../../../core/job-queue/index.ts';
import { folderWith, load, problemsOf } from './config-folder.ts';

test('they are terms as the engine takes them, with what is left out filled in', () => {
  const root = folderWith({
    'aiq.config.yaml': `budgets:
  daily: { amount: 3, currency: USD, per: day, timeZone: Europe/Berlin, agent: summarize, model: gpt-5-mini, tag: x }
  all.of-it: { amount: 0.000001, currency: USD }
`,
  });
  const budgets: readonly BudgetTerms[] = load(root).budgets;
  expect(budgets).toEqual([
    {
      name: 'daily',
      amountMicros: 3_000_000,
      currency: 'USD',
      per: 'day',
      timeZone: 'Europe/Berlin',
      agent: 'summarize',
      model: 'gpt-5-mini',
      tag: 'x',
      batch: null,
    },
    {
      name: 'all.of-it',
      amountMicros: 1,
      currency: 'USD',
      per: 'all',
      timeZone: 'UTC',
      agent: null,
      model: null,
      tag: null,
      batch: null,
    },
  ]);
  expect(load(folderWith({ 'aiq.config.yaml': 'budgets:' })).budgets).toEqual([]);
});

test('amounts are exact up to 2^53 - 1 millionths', () => {
  const amountOf = (amount: string): number | undefined => {
    const text = `budgets: { a: { amount: ${amount}, currency: USD } }`;
    return load(folderWith({ 'aiq.config.yaml': text })).budgets[0]?.amountMicros;
  };
  expect(amountOf('0.1')).toBe(100_000);
  expect(amountOf('1.10')).toBe(1_100_000);
  expect(amountOf('4294967295.999999')).toBe(4_294_967_295_999_999);
  expect(amountOf('9007199254')).toBe(9_007_199_254_000_000);
});

test('another currency than that of published prices needs prices in it', () => {
  const text = `budgets: { a: { amount: 3, currency: EUR } }\n`;
  expect(problemsOf(text)).toEqual([
    '1:38: "budgets.a.currency": "EUR", but published prices are in USD: ' +
      'write USD, or prices of your own in EUR under "prices"',
  ]);
  expect(problemsOf(`${text}prices: { m: { input: 1, output: 2 } }`)).toEqual([]);
});

test.each<[string, string]>([
  [
    'a: { currency: USD }',
    '2:6: "budgets.a.amount" is missing: what calls may cost, such as 3 or 0.25',
  ],
  ['a: { amount: 3 }', '2:6: "budgets.a.currency" is missing: write currency: USD'],
  [
    'a: { amount: 0, currency: USD }',
    '2:16: "budgets.a.amount": 0 is not a number above 0, such as 3 or 0.25',
  ],
  [
    'a: { amount: -1, currency: USD }',
    '2:16: "budgets.a.amount": -1 is not a number above 0, such as 3 or 0.25',
  ],
  [
    'a: { amount: 3 USD, currency: USD }',
    '2:16: "budgets.a.amount": "3 USD" is not a number above 0, such as 3 or 0.25',
  ],
  [
    'a: { amount: 0.0000001, currency: USD }',
    '2:16: "budgets.a.amount": 1e-7 has more than 6 decimals',
  ],
  [
    'a: { amount: 9007199255, currency: USD }',
    '2:16: "budgets.a.amount": 9007199255 is more than 9007199254.74099',
  ],
  [
    'a: { amount: 3, currency: usd }',
    '2:29: "budgets.a.currency": "usd" is no currency: 3 capital letters, such as USD',
  ],
  [
    'a: { amount: 3, currency: USD, per: dya }',
    '2:39: "budgets.a.per": "dya" is no period (day, week, month, all). Did you mean day?',
  ],
  [
    'a: { amount: 3, currency: USD, timeZone: Europe/Berln }',
    '2:44: "budgets.a.timeZone": "Europe/Berln" is no time zone such as Europe/Berlin. Did you mean Europe/Berlin?',
  ],
  ['a: { amount: 3, currency: USD, agent: 5 }', '2:41: "budgets.a.agent": 5 is not a text'],
  [
    'a: { amount: 3, currency: USD, tag: two words }',
    '2:39: "budgets.a.tag": "two words" is no tag: one word of at most 64 bytes',
  ],
  [
    'a: { amount: 3, currency: USD, modle: m }',
    '2:34: unknown setting "budgets.a.modle". Did you mean "budgets.a.model"?',
  ],
  [
    'Daily: { amount: 3, currency: USD }',
    '2:3: "Daily" is no name of a budget: lower-case words joined by . _ or -, at most 64 bytes',
  ],
  [
    `${'a'.repeat(65)}: { amount: 3, currency: USD }`,
    `2:3: ${JSON.stringify('a'.repeat(65)).slice(0, 59)}… is no name of a budget: lower-case words joined by . _ or -, at most 64 bytes`,
  ],
  ['a: 3', '2:6: "budgets.a" must be a mapping'],
  [
    'a: { amount: 3, currency: USD }\n  b: { amount: 3, currency: EUR }',
    '3:29: "budgets.b.currency": "EUR", but "a" is in USD: all budgets of a file need one currency',
  ],
])('%s', (line, expected) => {
  const [first] = problemsOf(`budgets:\n  ${line}`);
  expect(first).toEqual(expected);
});

test('of each only what is written is listed, with its place', () => {
  const root = folderWith({
    'aiq.config.yaml': 'budgets:\n  a:\n    amount: 0.25\n    currency: USD\n',
  });
  const settings = explainConfig({ cwd: root, env: { HOME: root } });
  expect(settings.slice(-2).map(({ path, value, origin }) => [path, value, origin.place])).toEqual([
    ['budgets.a.amount', 0.25, `${root}/aiq.config.yaml:3`],
    ['budgets.a.currency', 'USD', `${root}/aiq.config.yaml:4`],
  ]);
});
