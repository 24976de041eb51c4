/** What is made of an answer once it is here: JSON, a second try at the length limit, its price. */

import { expect, test } from 'vitest';
import { withoutReasoning } from '../../../core/model/answer/reasoning-block.ts';
import { usageFrom } from '../../../core/model/answer/wire-usage.ts';
import { printable } from '../../../core/model/failures/redact.ts';
import {
  callWithLengthRetry,
  findJson,
  finishKind,
  type ModelAnswer,
  type ModelCall,
  promptTruncated,
  withoutFence,
} from '../../../core/model/index.ts';

test.each([
  ['plain', '{"a":1}', ['{"a":1}']],
  ['a scalar', '"text"', ['"text"']],
  ['a fence', '```json\n{"a":1}\n```', ['{"a":1}']],
  ['four backticks', '````\n{"a":1}\n````', ['{"a":1}']],
  ['prose around', 'Here you are:\n```\n[1,2]\n```\nDone.', ['[1,2]']],
  ['a byte order mark', '\uFEFF{"a":1}', ['{"a":1}']],
  ['prose with brackets', 'I looked at [the files] and {that}: {"a":1} [1]', ['{"a":1}']],
  ['marks of a list', 'As in [1] and [2, page 3]: {"a":1}', ['{"a":1}']],
  [
    'a fence inside a text',
    '```json\n{"a":"```js\\nx\\n```","b":2}\n```',
    ['{"a":"```js\\nx\\n```","b":2}'],
  ],
  ['brackets inside a text', 'So: {"a":"}]{["} ok', ['{"a":"}]{["}']],
  ['thoughts with a sketch', 'Maybe {"a": ..., "b": [...]}?\n{"a":1,"b":[2]}', ['{"a":1,"b":[2]}']],
  ['the same answer twice', '{"a":1} and again {"a":1}', ['{"a":1}']],
  ['two answers', '{"a":1}\nor\n{"a":2}', ['{"a":1}', '{"a":2}']],
  ['commas', '{"a":[1,2,],"b":3,}', ['{"a":[1,2],"b":3}']],
  ['missing commas', '{"a":1\n"b":[1 2]}', ['{"a":1,"b":[1,2]}']],
  ['quotes', "{a:'it\\'s',“b”:“c”}", ['{"a":"it\'s","b":"c"}']],
  ['raw line ends', '{"a":"x\ny\tz"}', ['{"a":"x\\ny\\tz"}']],
  ['comments and Python', '{"a":True, // yes\n"b":None /* no */}', ['{"a":true,"b":null}']],
  ['a name that is no name', '{"__proto__":1,"toString":2,}', ['{"__proto__":1,"toString":2}']],
  ['a list on lines of its own', 'Here:\n[1,2]\nDone.', ['[1,2]']],
  ['marks of prose', 'See [1], {} and [2].', []],
  ['nothing', '', []],
  ['prose', 'I cannot do that.', []],
  ['a fence around prose', '```json\nno\n```', []],
  ['quotes inside quotes', '{"a":"he said "hi" there","b":{"c":1}}', []],
  ['an ellipsis', '{"a":[1,2,...]}', []],
  ['a wrong bracket', '{"a":[1,2}', []],
])('JSON is found by parsing: %s', (_, text, texts) => {
  expect(findJson(text)).toEqual({ texts, isCut: text === '{"a":[1,2}' });
});

test.each([
  '{"a":"b',
  '{"a":1,"list":[{"b":2},{"b":3}',
  '```json\n{"files":[{"path":"a","content":"x"},{"path":"b","content":"half of li',
  '```json\n{"files":[{"path":"a","content":"x"}]\n```',
  '{"a":1,"b":12',
  '{"a":1}\n{"a":2,',
  '[{"a":1},{"a":',
])('what broke off is never made whole: %j', (text) => {
  expect(findJson(text).isCut).toBe(true);
});

test('hostile text is given up in time', () => {
  for (const text of ['['.repeat(1_000_000), '{"a":'.repeat(200_000), "['".repeat(300_000)]) {
    expect(findJson(text).texts).toEqual([]);
  }
  expect(findJson('[1]'.repeat(300_000)).texts).toEqual([]);
  const spaces = ' '.repeat(1_000_000);
  expect(withoutFence(`\`\`\`md\na${spaces}b\n\`\`\``)).toBe(`a${spaces}b`);
  expect(withoutReasoning(`${spaces}<think>${spaces}`)).toBe('');
});

test.each([
  ['<think>a [b] {c}</think>\n\nThe answer.', 'The answer.'],
  ['\n<THINKING mode="x">a</THINKING>The answer.', 'The answer.'],
  ['[THINK]a[/THINK] The answer.', 'The answer.'],
  [
    '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>The answer.',
    'The answer.',
  ],
  ['[odd] `thoughts\n</think>\nThe answer.', 'The answer.'],
  ['```\n</think>\n```', '```\n</think>\n```'],
  ['a, with the tag opened in the prompt\n</think>\n\nThe answer.', 'The answer.'],
  ['<think>one</think>The <think>two</think> answer.', 'The <think>two</think> answer.'],
  ['<think>that never ends', ''],
  ['thoughts and nothing else</think>\n', ''],
  ['Close it with `</think>`, always.', 'Close it with `</think>`, always.'],
  ['It thinks: <think>a</think> is shown.', 'It thinks: <think>a</think> is shown.'],
  ['{"tag":"</think>"}', '{"tag":"</think>"}'],
  ['  two spaces stay', '  two spaces stay'],
])('one leading block of thoughts is taken off: %j', (text, rest) => {
  expect(withoutReasoning(text)).toBe(rest);
});

test.each([
  ['```markdown\n# T\n```\n', '# T'],
  ['````md\n# T\n```js\nx\n```\nEnd\n````', '# T\n```js\nx\n```\nEnd'],
  ['```markdown\n# T\n```js\nx\n```\nEnd\n```', '# T\n```js\nx\n```\nEnd'],
  ['~~~\n# T\n~~~', '# T'],
  ['```js\nx\n```', '```js\nx\n```'],
  ['```\na\n```\nand\n```\nb\n```', '```\na\n```\nand\n```\nb\n```'],
  ['Here:\n```markdown\n# T\n```', 'Here:\n```markdown\n# T\n```'],
])('a fence around a whole document comes off: %j', (text, rest) => {
  expect(withoutFence(text)).toBe(rest);
});

test.each([
  ['stop STOP eos end_turn end-turn stop_sequence', 'whole'],
  ['tool_calls tool_use function_call', 'calls'],
  ['length model_length MAX_TOKENS max_output_tokens max-tokens FinishReason.MAX_TOKENS', 'length'],
  ['content_filter SAFETY RECITATION content-filtered sensitive refusal blocked', 'filtered'],
  ['content_filter:RECITATION', 'filtered'],
  [
    'abort error insufficient_system_resource function_call_filter stopped unknown toString',
    'other',
  ],
])('finish reasons %s mean %s', (reasons, kind) => {
  for (const reason of reasons.split(' '))
    expect([reason, finishKind(reason)]).toEqual([reason, kind]);
});

test('a prompt of which the server read less than half is cut; small ones and guesses are not judged', () => {
  const words = 'word '.repeat(20_000);
  const problemAt = (content: string, inputTokens: number, estimated = false) =>
    promptTruncated([{ role: 'user', content }], {
      text: 'x',
      toolCalls: [],
      finishReason: 'stop',
      model: 'm',
      usage: { inputTokens, outputTokens: 1, estimated },
    })?.code ?? null;
  expect(problemAt(words, 4_096)).toBe('prompt_truncated');
  expect(problemAt(words, 10_000)).toBeNull();
  expect(problemAt(words, 4_096, true)).toBeNull();
  expect(problemAt('word '.repeat(900), 3)).toBeNull();
  // White space and long runs are few tokens.
  expect(problemAt(`${' '.repeat(500_000)}${'='.repeat(16_000)}`, 600)).toBeNull();
});

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

test.each([5.5, -1, '5', 1e20, {}, null, Number.NaN, true])(
  'a count of tokens that is none (%j) is estimated and marked',
  (count) => {
    const usage = usageFrom(
      { prompt_tokens: count, completion_tokens: 7 },
      { input: 40, output: 4 },
    );
    expect(usage).toEqual({ inputTokens: 10, outputTokens: 7, estimated: true });
  },
);

test('cached and reasoning tokens are read under the names that servers give them', () => {
  const bytes = { input: 0, output: 0 };
  const base = { prompt_tokens: 100, completion_tokens: 50 };
  expect(
    usageFrom(
      {
        ...base,
        prompt_tokens_details: { cached_tokens: 80 },
        completion_tokens_details: { reasoning_tokens: 30 },
      },
      bytes,
    ),
  ).toMatchObject({ cachedInputTokens: 80, outputTokens: 50, reasoningTokens: 30 });
  expect(usageFrom({ ...base, prompt_cache_hit_tokens: 64 }, bytes).cachedInputTokens).toBe(64);
  // More than there is cannot be cached; reasoning that stands beside the output is added to it.
  expect(usageFrom({ ...base, cached_tokens: 1000 }, bytes).cachedInputTokens).toBe(100);
  const beside = {
    ...base,
    completion_tokens_details: { reasoning_tokens: 30 },
    total_tokens: 180,
  };
  expect(usageFrom(beside, bytes)).toMatchObject({ outputTokens: 80, reasoningTokens: 30 });
  expect(usageFrom({ ...base, prompt_tokens_details: 'x' }, bytes)).toEqual({
    inputTokens: 100,
    outputTokens: 50,
    estimated: false,
  });
});

test('text from a server becomes one short line without markup, control characters or keys', () => {
  const text = '<style>x</style><h1>Bad</h1>\u001b[31m\nkey  sk-abcdefgh1234 \u202Eand my-own-key!';
  expect(printable(text, ['my-own-key', 'none'])).toBe('Bad [31m key [key] and [key]!');
  expect(printable('none of it', ['none'])).toBe('none of it');
  expect(printable('x'.repeat(10_000), []).length).toBeLessThan(500);
});
