/** How an answer ends, and what is in it: finish reasons, thoughts, fences, JSON, counts. */

import { delta, sse } from '../../integration/model/fake-server.ts';
import { answerOf, type Fault, inTurn, stream, usage, usageEvent } from './fault.ts';

const half = 'This answer stops in the middle of a';
const group = 'finish reasons';
const paid = { calls: 3, inputTokens: 3000, outputTokens: 300 };

const unknownReasons = [
  'error',
  'abort',
  'insufficient_system_resource',
  'unknown',
  'tool_calls',
  'function_call_filter: MALFORMED_FUNCTION_CALL',
];
const lengthReasons = ['length', 'model_length', 'MAX_TOKENS', 'max_output_tokens'];
const filterReasons = ['content_filter', 'SAFETY', 'RECITATION'];

export const endings: readonly Fault[] = [
  ...['stop', 'eos', 'end_turn', 'stop_sequence', 'STOP'].map(
    (reason): Fault => ({
      name: `finish ${reason}`,
      group,
      answer: answerOf('Whole.', reason),
      end: 'done',
      calls: 1,
      result: 'Whole.\n',
    }),
  ),
  ...unknownReasons.map(
    (reason): Fault => ({
      name: `finish ${reason}`,
      group,
      answer: answerOf(half, reason),
      end: 'dead answer_unfinished',
      calls: 3,
      usage: paid,
    }),
  ),
  ...lengthReasons.map(
    (reason): Fault => ({
      name: `finish ${reason}`,
      group,
      answer: answerOf(half, reason),
      end: 'dead output_truncated',
      calls: 2,
      usage: { calls: 2, inputTokens: 2000 },
    }),
  ),
  ...filterReasons.map(
    (reason): Fault => ({
      name: `finish ${reason}`,
      group,
      answer: answerOf(half, reason),
      end: 'dead content_filter',
      calls: 1,
      usage: { calls: 1, inputTokens: 1000 },
    }),
  ),
  {
    name: 'finish length, then whole',
    group,
    answer: inTurn(answerOf(half, 'length'), answerOf('Whole.')),
    end: 'done',
    calls: 2,
    result: 'Whole.\n',
  },
  {
    name: 'model_length of JSON',
    group,
    agent: 'json',
    answer: answerOf('{"n":1,"list":[1,2', 'model_length'),
    end: 'dead output_truncated',
    calls: 2,
  },
  {
    name: 'refusal field',
    group,
    answer: stream(delta({ refusal: 'No.' }), delta({}, 'stop'), usageEvent),
    end: 'dead refused',
    calls: 1,
    usage: { calls: 1, outputTokens: 100 },
  },
];

const contents = 'content';

function content(name: string, text: unknown, result: string | null, calls = 1): Fault {
  const isDone = result !== null;
  const end = isDone ? 'done' : 'dead empty_answer';
  const account = isDone ? {} : { usage: paid };
  return {
    name,
    group: contents,
    answer: answerOf(text),
    end,
    calls,
    ...account,
    ...(isDone ? { result } : {}),
  };
}

function json(name: string, text: string, result: unknown, calls = 1): Fault {
  const end = result === undefined ? 'dead output_invalid' : 'done';
  return { name, group: 'JSON', agent: 'json', answer: answerOf(text), end, calls, result };
}

const good = { n: 1, list: [1, 2] };
const text = '{"n":1,"list":[1,2]}';

export const contentFaults: readonly Fault[] = [
  content('empty', '', null, 3),
  content('blank', ' \n\t', null, 3),
  content('null', null, null, 3),
  content('nothing to be seen', '\u200b\u2060', null, 3),
  content('thoughts only', '<think>Hm.</think>', null, 3),
  content(
    'parts',
    [
      { type: 'text', text: 'Two ' },
      { type: 'text', text: 'parts.' },
    ],
    'Two parts.\n',
  ),
  content(
    'parts with thinking (Mistral)',
    [
      { type: 'thinking', thinking: [{ text: 'Hm.' }] },
      { type: 'text', text: 'Yes.' },
    ],
    'Yes.\n',
  ),
  content('think tags', '<think>Hm [1] {2}.</think>\n\nYes.', 'Yes.\n'),
  content('closing think tag alone', 'Hm.\n</think>\n\nYes.', 'Yes.\n'),
  content('bytes as they are', '  a \r\n\tb  \n\n\n', '  a \r\n\tb  \n'),
  {
    name: 'reasoning field only',
    group: contents,
    answer: answerOf('', 'stop', { reasoning_content: 'Hm.' }),
    end: 'dead empty_answer',
    calls: 3,
    usage: paid,
  },
  {
    name: 'reasoning field and answer',
    group: contents,
    answer: answerOf('Yes.', 'stop', { reasoning_content: 'Hm.' }),
    end: 'done',
    calls: 1,
    result: 'Yes.\n',
  },
  json('plain', text, good),
  json('fence', `\`\`\`json\n${text}\n\`\`\``, good),
  json('fence of four', `\`\`\`\`\n${text}\n\`\`\`\``, good),
  json('fence in prose', `Here:\n\`\`\`\n${text}\n\`\`\`\nDone.`, good),
  json('prose with brackets', `I read [the files] {all}: ${text} [1]`, good),
  json('thoughts with brackets', `<think>Maybe {"n": 2}?</think>${text}`, good),
  json('thoughts, closing tag alone', `Maybe {"n": 2}?\n</think>\n${text}`, good),
  json('trailing comma', '{"n":1,"list":[1,2,],}', good),
  json('single quotes', "{'n':1,'list':[1,2]}", good),
  json('byte order mark before JSON', `\uFEFF${text}`, good),
  json('never JSON', 'I cannot do that.', undefined, 3),
  json('broken off', '{"n":1,"list":[1,2', undefined, 3),
  json('two answers', `${text} or {"n":2,"list":[]}`, undefined, 3),
  {
    name: 'file with a fence inside',
    group: 'JSON',
    agent: 'files',
    answer: answerOf(
      `\`\`\`json\n${JSON.stringify({
        files: [
          { path: 'a.md', content: '# A\n```js\nx\n```\nEnd' },
          { path: 'b.md', content: 'B' },
        ],
      })}\n\`\`\``,
    ),
    end: 'done',
    calls: 1,
  },
  {
    name: 'file that broke off',
    group: 'JSON',
    agent: 'files',
    answer: answerOf('{"files":[{"path":"a.txt","content":"line 1\\nhalf of li'),
    end: 'dead output_invalid',
    calls: 3,
  },
];

function counted(name: string, said: unknown, more: object): Fault {
  return {
    name: `usage ${name}`,
    group: 'counts and names',
    answer: stream(delta({ content: 'Good.' }), delta({}, 'stop'), { choices: [], usage: said }),
    end: 'done',
    calls: 1,
    usage: more,
  };
}

export const counts: readonly Fault[] = [
  counted(
    'with cached tokens',
    { ...usage, prompt_tokens_details: { cached_tokens: 800 } },
    { inputTokens: 1000, costMicros: 1280 },
  ),
  counted('5.5', { prompt_tokens: 5, completion_tokens: 5.5 }, { estimated: true }),
  counted('-1', { prompt_tokens: -1, completion_tokens: 5 }, { estimated: true }),
  counted('as text', { prompt_tokens: '5', completion_tokens: 5 }, { estimated: true }),
  counted('1e20', { prompt_tokens: 5, completion_tokens: 1e20 }, { estimated: true }),
  counted('an object', { prompt_tokens: {}, completion_tokens: [] }, { estimated: true }),
  counted('a text', 'many', { estimated: true }),
  {
    name: 'odd model name',
    group: 'counts and names',
    answer: stream(
      { model: { a: 1 }, choices: [] },
      { model: `\u0007${'x'.repeat(10_000)}`, choices: [] },
      delta({ content: 'Good.' }),
      delta({}, 'stop'),
    ),
    end: 'done',
    calls: 1,
    result: 'Good.\n',
  },
  {
    name: 'a second choice',
    group: 'counts and names',
    answer: (response) => {
      const choices = [
        { index: 1, delta: { content: 'Bad.' }, finish_reason: 'length' },
        { index: 0, delta: { content: 'Good.' }, finish_reason: 'stop' },
      ];
      sse(response, [{ choices }, usageEvent, '[DONE]']);
      response.end();
    },
    end: 'done',
    calls: 1,
    result: 'Good.\n',
  },
  {
    name: 'prompt cut by the server',
    group: 'counts and names',
    agent: 'limited',
    answer: stream(delta({ content: 'A summary of the end.' }), delta({}, 'stop'), {
      choices: [],
      usage: { prompt_tokens: 4096, completion_tokens: 9 },
    }),
    end: 'dead prompt_truncated',
    calls: 1,
  },
];
