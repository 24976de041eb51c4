/** The headers in which servers say what their limits leave. */

import { expect, test } from 'vitest';
import { allowancesIn } from '../../../core/model/failures/allowances.ts';
import { retryAfterMs } from '../../../core/model/failures/retry-after.ts';

const nowMs = Date.parse('2026-12-01T10:00:00Z');
const headersOf = (fields: Record<string, string>): Headers => new Headers(fields);

test('those of OpenAI, and of Groq, whose requests are counted by the day', () => {
  const openAi = headersOf({
    'x-ratelimit-limit-requests': '500',
    'x-ratelimit-remaining-requests': '499',
    'x-ratelimit-reset-requests': '120ms',
    'x-ratelimit-limit-tokens': '30000',
    'x-ratelimit-remaining-tokens': '29000',
    'x-ratelimit-reset-tokens': '2s',
  });
  expect(allowancesIn(openAi, nowMs)).toEqual([
    { kind: 'requests', limit: 500, left: 499, fullInMs: 120 },
    { kind: 'tokens', limit: 30_000, left: 29_000, fullInMs: 2_000 },
  ]);
  const groq = headersOf({
    'x-ratelimit-limit-requests': '14400',
    'x-ratelimit-remaining-requests': '14370',
    'x-ratelimit-reset-requests': '2m59.56s',
  });
  expect(allowancesIn(groq, nowMs)).toEqual([
    { kind: 'requests', limit: 14_400, left: 14_370, fullInMs: 179_560 },
  ]);
});

test('those of Anthropic: times, with input and output apart', () => {
  const fields = Object.fromEntries(
    ['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((kind, at) => [
      [`anthropic-ratelimit-${kind}-limit`, `${1000 * (at + 1)}`],
      [`anthropic-ratelimit-${kind}-remaining`, kind === 'input-tokens' ? '0' : '900'],
      [`anthropic-ratelimit-${kind}-reset`, `2026-12-01T10:00:0${at}Z`],
    ]),
  );
  expect(allowancesIn(headersOf(fields), nowMs)).toEqual([
    { kind: 'requests', limit: 1_000, left: 900, fullInMs: 0 },
    { kind: 'tokens', limit: 2_000, left: 900, fullInMs: 1_000 },
    { kind: 'input', limit: 3_000, left: 0, fullInMs: 2_000 },
    { kind: 'output', limit: 4_000, left: 900, fullInMs: 3_000 },
  ]);
  expect(retryAfterMs(headersOf(fields), nowMs)).toBe(2_000);
});

test.each([
  ['what Azure says where it counts nothing', { limit: '-1', remaining: '0', reset: '1s' }],
  ['the same in zeros', { limit: '0', remaining: '0', reset: '0' }],
  ['a number below nothing', { limit: '10', remaining: '-1', reset: '1s' }],
  ['no time', { limit: '10', remaining: '5', reset: 'soon' }],
])('no limit is %s', (_, said) => {
  const fields = Object.entries(said).map(([name, value]) => [
    `x-ratelimit-${name}-requests`,
    value,
  ]);
  expect(allowancesIn(headersOf(Object.fromEntries(fields)), nowMs)).toEqual([]);
});

test('without headers there is nothing', () => {
  expect(allowancesIn(headersOf({}), nowMs)).toEqual([]);
  expect(retryAfterMs(headersOf({}), nowMs)).toBeNull();
});
