/** What is made of an answer once it is here: JSON, a second try at the length limit, its price. */

import { expect, test } from 'vitest';
import {
  callWithLengthRetry,
  costMicros,
  type ModelAnswer,
  type ModelCall,
  parseJsonAnswer,
} from '../../../core/model/index.ts';
import { printable } from '../../../core/model/redact.ts';

test.each([
  ['{"a":1}', { a: 1 }, false],
  ['"text"', 'text', false],
  ['```json\n{"a":1}\n```', { a: 1 }, false],
  ['Here you are:\n```\n[1,2]\n```\nDone.', [1, 2], false],
  ['Sure! {"a":1} Anything else?', { a: 1 }, true],
  ['{"code":"```js\\nx\\n```"}', { code: '```js\nx\n```' }, false],
  ["{a:1,'b':[1,2,],}", { a: 1, b: [1, 2] }, true],
  ['{"a":"b', { a: 'b' }, true],
])('JSON is read out of %j', (text, value, repaired) => {
  expect(parseJsonAnswer(text)).toEqual({ value, repaired });
});

test.each(['', 'I cannot do that.', '```json\nno\n```'])(
  'prose is not repaired into JSON: %j',
  (text) => {
    expect(() => parseJsonAnswer(text)).toThrowError(
      expect.objectContaining({ code: 'answer_not_json', failure: 'transient' }),
    );
  },
);

const request: ModelCall = {
  model: 'm',
  messages: [],
  options: { temperature: 0, maxOutputTokens: 100 },
  timeoutMs: 1,
  idleMs: 1,
  answerBytesMax: 1,
};

function answering(reasons: readonly string[]) {
  const limits: (number | undefined)[] = [];
  const call = ({ options }: ModelCall): Promise<ModelAnswer> => {
    limits.push(options.maxOutputTokens);
    const finishReason = reasons[limits.length - 1] ?? 'stop';
    const usage = { inputTokens: 1, outputTokens: 700, estimated: false };
    return Promise.resolve({ text: '', toolCalls: [], finishReason, model: 'm', usage });
  };
  return { limits, call };
}

test('an answer cut by length is asked for once more with twice the limit, then given up', async () => {
  const fine = answering(['stop']);
  await callWithLengthRetry(fine.call, request);
  expect(fine.limits).toEqual([100]);

  const once = answering(['length', 'stop']);
  expect((await callWithLengthRetry(once.call, request)).finishReason).toBe('stop');
  expect(once.limits).toEqual([100, 200]);

  const unlimited = answering(['length', 'stop']);
  await callWithLengthRetry(unlimited.call, { ...request, options: {} });
  expect(unlimited.limits).toEqual([undefined, 1400]);

  const twice = answering(['length', 'length']);
  await expect(callWithLengthRetry(twice.call, request)).rejects.toMatchObject({
    failure: 'permanent',
    code: 'output_truncated',
  });
  expect(twice.limits).toEqual([100, 200]);
});

test('a price for a million tokens gives millionths, also for dated snapshots', () => {
  const prices = {
    'gpt-5-mini': { input: 0.25, output: 2 },
    'o-2024-01-01': { input: 1, output: 1 },
  };
  const usage = { inputTokens: 1001, outputTokens: 10, estimated: false };
  expect(costMicros(prices, 'gpt-5-mini', usage)).toBe(271);
  expect(costMicros(prices, 'gpt-5-mini-2025-08-07', usage)).toBe(271);
  expect(costMicros(prices, 'o-2024-01-01', usage)).toBe(1011);
  expect(costMicros(prices, 'gpt-5', usage)).toBe(0);
  expect(costMicros(prices, 'aiq-offline?latency=1s', usage)).toBe(0);
  expect(costMicros(prices, 'toString', usage)).toBe(0);
});

test('text from a server becomes one short line without markup, control characters or keys', () => {
  const text = '<style>x</style><h1>Bad</h1>\u001b[31m\nkey  sk-abcdefgh1234 \u202Eand my-own-key!';
  expect(printable(text, ['my-own-key', 'none'])).toBe('Bad [31m key [key] and [key]!');
  expect(printable('none of it', ['none'])).toBe('none of it');
  expect(printable('x'.repeat(10_000), []).length).toBeLessThan(500);
});
