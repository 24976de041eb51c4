/** One rule for every duration, size and count that a person writes. */

import { expect, test } from 'vitest';
import {
  durationProblem,
  formatMicros,
  parseCount,
  parseDuration,
  parseMicros,
  parseSize,
} from '../../../core/base/index.ts';

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

test.each([
  ['1', 1],
  ['4096', 4_096],
  ['512KiB', 524_288],
  ['4 MiB', 4_194_304],
  ['2GiB', 2 * 1024 ** 3],
  ['1TiB', 1024 ** 4],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', '0', '-1', '1.5MiB', '4MB', '4  MiB', '4kib', 'MiB', '9'.repeat(30)])(
  '"%s" is no size',
  (text) => {
    expect(parseSize(text)).toBeNull();
  },
);

test('sizes and counts keep to their bounds', () => {
  expect([parseSize('4MiB', 4_194_304), parseSize('4MiB', 4_194_303)]).toEqual([4_194_304, null]);
  expect(['0', '1', '8', '9', '1e1', ' 2'].map((text) => parseCount(text, 1, 8))).toEqual([
    null,
    1,
    8,
    null,
    null,
    null,
  ]);
});

test.each<[string, number]>([
  ['0', 0],
  ['3', 3_000_000],
  ['0.25', 250_000],
  ['0.1', 100_000],
  ['0.000001', 1],
  ['1.1', 1_100_000],
  ['9007199254.740991', Number.MAX_SAFE_INTEGER],
])('the amount %s has %i millionths, and back', (text, micros) => {
  expect(parseMicros(text)).toBe(micros);
  expect(formatMicros(micros)).toBe(text);
});

test.each([
  '',
  ' 3',
  '-1',
  '+1',
  '1e3',
  '.5',
  '5.',
  '1,5',
  '0.0000001',
  '3 USD',
  '9007199254.740992',
  '9'.repeat(400),
])('%j is no amount', (text) => {
  expect(parseMicros(text)).toBeNull();
});

test('amounts have as many decimals as they need, or as are asked for', () => {
  expect(formatMicros(3_000_000, 2)).toBe('3.00');
  expect(formatMicros(2_100, 2)).toBe('0.0021');
  expect(formatMicros(-250_000)).toBe('-0.25');
  expect(formatMicros(-3_000_001)).toBe('-3.000001');
  expect(formatMicros(-0)).toBe('0');
});
