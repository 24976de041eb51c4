/** One rule for every duration that a person writes. */

import { expect, test } from 'vitest';
import { durationProblem, parseDuration } from '../../../core/base/index.ts';

const yearMs = 365.25 * 86_400_000;

test.each([
  ['1ms', 1],
  ['250ms', 250],
  ['1.5s', 1_500],
  ['90s', 90_000],
  ['0.5h', 1_800_000],
  ['2d', 172_800_000],
  ['60d', 5_184_000_000],
  ['8766000h', 1_000 * yearMs],
  ['365250d', 1_000 * yearMs],
  [`${1_000 * yearMs}ms`, 1_000 * yearMs],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  '5',
  '',
  's',
  '0s',
  '0.5ms',
  '-1s',
  '5 m',
  '1w',
  '1e3s',
  'Infinitys',
  '366001d',
  `${'9'.repeat(400)}s`,
])('"%s" is no duration', (text) => {
  expect(parseDuration(text)).toBeNull();
  const isLong = /\d{4}/.test(text);
  expect(durationProblem(text)).toMatch(isLong ? /longer than 1000 years/ : /such as 90s/);
});
