/** What a successful call makes of the many shapes in which servers stream an answer. */

import { expect, test, vi } from 'vitest';
import { createCaller, type ModelAnswer, type ModelCall } from '../../../core/model/index.ts';
import { patienceMs } from '../../support/patience.ts';
import {
  delta,
  type FakeServer,
  goodAnswer,
  modelCall,
  refuse,
  serving,
  sse,
  testKey,
  usageChunk,
} from './fake-server.ts';

async function answerOf(
  server: FakeServer,
  changes: Partial<ModelCall> = {},
): Promise<ModelAnswer> {
  const caller = await createCaller(server.provider);
  return caller.call(modelCall(changes), new AbortController().signal);
}

test('deltas without a role are joined, with the usage of the last chunk', async () => {
  const server = await serving((response) => {
    sse(response, [
      delta({ content: 'Good ' }),
      delta({ content: 'day.' }),
      delta({}, 'stop'),
      usageChunk,
      '[DONE]',
    ]);
    response.end();
  });
  expect(await answerOf(server)).toEqual({
    text: 'Good day.',
    toolCalls: [],
    finishReason: 'stop',
    model: 'm',
    usage: { inputTokens: 11, outputTokens: 7, estimated: false },
  });
  const [request] = server.requests;
  expect(request?.url).toBe('/v1/chat/completions');
  expect(request?.headers.authorization).toBe(`Bearer ${testKey}`);
  expect(request?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
});

test('a server that counts nothing gets an estimate, marked as one', async () => {
  const server = await serving((response) => {
    sse(response, [delta({ content: 'x'.repeat(40) }), delta({}, 'stop')]);
    response.end();
  });
  const { usage } = await answerOf(server);
  expect(usage).toMatchObject({ outputTokens: 10, estimated: true });
  expect(usage.inputTokens).toBeGreaterThan(5);
});

test('an answer that is whole survives a connection that dies or hangs after the finish reason', async () => {
  const server = await serving(async (response, _, count) => {
    sse(response, [delta({ content: 'Paid for.' }), delta({}, 'stop')]);
    if (count === 1) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 30);
    });
    response.socket?.resetAndDestroy();
  });
  for (const _ of [1, 2]) {
    const answer = await answerOf(server, { idleMs: 60 });
    expect(answer).toMatchObject({ text: 'Paid for.', usage: { estimated: true } });
  }
});

test('a server that cannot stream is understood too', async () => {
  const server = await serving((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const message = { role: 'assistant', content: 'All at once.' };
    response.end(
      JSON.stringify({
        model: 'real-name',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage: { prompt_tokens: 3, completion_tokens: 4 },
      }),
    );
  });
  expect(await answerOf(server)).toMatchObject({ text: 'All at once.', model: 'real-name' });
});

function part(fields: object): object {
  return delta({ tool_calls: [fields] });
}

test('tool calls are joined from their pieces, with or without index and id', async () => {
  const streams = [
    [
      part({ index: 0, id: 'a', function: { name: 'find', arguments: '' } }),
      part({ index: 0, function: { arguments: '{"q":' } }),
      part({ index: 1, id: 'b', function: { name: 'read', arguments: '{}' } }),
      part({ index: 0, function: { arguments: '"x"}' } }),
      delta({}, 'tool_calls'),
    ],
    [part({ function: { name: 'find', arguments: { q: 'x' } } }), delta({}, 'stop')],
  ];
  const server = await serving((response, _, count) => {
    sse(response, streams[count - 1] ?? []);
    response.end();
  });
  expect(await answerOf(server, { tools: findTool })).toMatchObject({
    finishReason: 'tool_calls',
    toolCalls: [
      { id: 'a', name: 'find', arguments: '{"q":"x"}' },
      { id: 'b', name: 'read', arguments: '{}' },
    ],
  });
  expect(await answerOf(server, { tools: findTool })).toMatchObject({
    finishReason: 'tool_calls',
    toolCalls: [{ id: 'call_0', name: 'find', arguments: '{"q":"x"}' }],
  });
});

const findTool = [{ name: 'find', description: 'Finds.', parameters: { type: 'object' } }];

/** Two calls, `find {"q":1}` and `find {"q":2}`, as servers number and name them. */
const numberings: readonly (readonly [string, readonly object[]])[] = [
  [
    'index 0 for all (Gemini)',
    [
      { index: 0, id: 'a', function: { name: 'find', arguments: '{"q":1}' } },
      { index: 0, id: 'b', function: { name: 'find', arguments: '{"q":2}' } },
    ],
  ],
  [
    'counted from 1, in pieces',
    [
      { index: 1, id: 'a', function: { name: 'find', arguments: '' } },
      { index: 2, id: 'b', function: { name: 'find', arguments: '' } },
      { index: 2, function: { arguments: '{"q":' } },
      { index: 1, function: { arguments: '{"q":1}' } },
      { index: 2, function: { arguments: '2}' } },
    ],
  ],
  [
    'the id in each piece',
    [
      { index: 0, id: 'a', function: { name: 'find', arguments: '{"q"' } },
      { index: 0, id: 'b', function: { name: 'find', arguments: '{"q":' } },
      { index: 0, id: 'a', function: { name: 'find', arguments: ':1}' } },
      { index: 0, id: 'b', function: { name: '', arguments: '2}' } },
    ],
  ],
  [
    'one id for all',
    [
      { index: 0, id: 'x', function: { name: 'find', arguments: '{"q":1}' } },
      { index: 1, id: 'x', function: { name: 'find', arguments: '{"q":2}' } },
    ],
  ],
  [
    'empty ids and no index',
    [
      { id: '', function: { name: 'find', arguments: '{"q":1}' } },
      { id: null, function: { name: 'find', arguments: '{"q":2}' } },
    ],
  ],
  [
    'numbers as ids, far apart',
    [
      { index: 7, id: 1, function: { name: 'find', arguments: { q: 1 } } },
      { index: 70, id: 2, function: { name: 'find', arguments: { q: 2 } } },
    ],
  ],
];

test.each(numberings)('tool calls are told apart by their ids: %s', async (_, pieces) => {
  const server = await serving((response) => {
    sse(response, [...pieces.map((piece) => part(piece)), delta({}, 'tool_calls')]);
    response.end();
  });
  const { toolCalls } = await answerOf(server, { tools: findTool });
  expect(toolCalls.map(({ name, arguments: args }) => `${name} ${args}`)).toEqual([
    'find {"q":1}',
    'find {"q":2}',
  ]);
  expect(new Set(toolCalls.map(({ id }) => id)).size).toBe(2);
});

test('only choice 0 counts, and what no server should say does no harm', async () => {
  const server = await serving((response) => {
    sse(response, [
      { model: `m${'x'.repeat(1000)}`, choices: null, usage: 'none' },
      {
        model: 'bad\u0007name',
        choices: {},
        usage: { prompt_tokens: 5.5, completion_tokens: '7' },
      },
      { choices: [null, { index: 1, delta: { content: 'other' }, finish_reason: 'length' }] },
      {
        choices: [
          { index: 1, delta: { content: 'x' } },
          { index: 0, delta: { content: 'This.' } },
        ],
      },
      { choices: [{ index: 0, delta: { content: [null, { text: 1 }], tool_calls: 'x' } }] },
      { choices: [{ delta: null, finish_reason: 'stop' }] },
      { choices: [{ index: 1, delta: {}, finish_reason: 'abort' }] },
    ]);
    response.end();
  });
  const answer = await answerOf(server);
  expect(answer).toMatchObject({ text: 'This.', finishReason: 'stop', model: 'm' });
  expect(answer.usage).toMatchObject({ outputTokens: 2, estimated: true });
  expect(Number.isInteger(answer.usage.inputTokens)).toBe(true);
});

test('thoughts in front of an answer are no part of it', async () => {
  const server = await serving((response) => goodAnswer(response, '<think>Hm.</think>\n\nYes.'));
  expect((await answerOf(server)).text).toBe('Yes.');
});

test('an answer cut by length comes back as such', async () => {
  const server = await serving((response) => {
    sse(response, [delta({ content: 'Half of' }), delta({}, 'length')]);
    response.end();
  });
  expect((await answerOf(server)).finishReason).toBe('length');
});

test('a refused max_completion_tokens becomes max_tokens, and the caller remembers', async () => {
  const server = await serving((response, { body }) =>
    'max_completion_tokens' in body
      ? refuse(response, 400, { message: 'Unrecognized request argument: max_completion_tokens' })
      : goodAnswer(response),
  );
  const caller = await createCaller(server.provider);
  const request = modelCall({ options: { maxOutputTokens: 9 } });
  for (const _ of [1, 2]) await caller.call(request, new AbortController().signal);
  expect(
    server.requests.map(({ body }) => [body['max_completion_tokens'], body['max_tokens']]),
  ).toEqual([
    [9, undefined],
    [undefined, 9],
    [undefined, 9],
  ]);
});

test('a refused schema becomes a loose one, then json_object with the schema in words', async () => {
  const server = await serving((response, { body }) => {
    const format = body['response_format'] as { type: string };
    if (format.type === 'json_object') return goodAnswer(response, '{"a":1}');
    return refuse(response, 400, {
      message: "'response_format' of type json_schema is not supported",
    });
  });
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['a'],
    properties: { a: { type: 'integer' } },
  };
  await answerOf(server, { responseSchema: { name: 'my answer', schema } });
  const formats = server.requests.map(({ body }) => body['response_format']);
  expect(formats).toEqual([
    { type: 'json_schema', json_schema: { name: 'my_answer', schema, strict: true } },
    { type: 'json_schema', json_schema: { name: 'my_answer', schema, strict: false } },
    { type: 'json_object' },
  ]);
  expect(JSON.stringify(server.requests[2]?.body['messages'])).toContain('additionalProperties');
});

test.each([
  'Cannot use custom grammar constraints with tools.',
  "Function calling with a response mime type: 'application/json' is unsupported",
])(
  'a server that cannot do tools and a schema at once gets the schema in words: %s',
  async (message) => {
    const server = await serving((response, { body }) =>
      'tools' in body && 'response_format' in body
        ? refuse(response, 400, { message })
        : goodAnswer(response, '{"a":1}'),
    );
    const schema = { type: 'object', properties: { a: { type: 'integer' } } };
    const tools = [{ name: 'look', description: 'Looks.', parameters: { type: 'object' } }];
    await answerOf(server, {
      responseSchema: { name: 'answer', schema },
      tools,
      toolChoice: 'none',
    });
    expect(server.requests[0]?.body).toMatchObject({ tool_choice: 'none' });
    const { messages, tools: offered, ...body } = server.requests[1]?.body ?? {};
    expect(body).not.toHaveProperty('response_format');
    expect(offered).toHaveLength(1);
    expect(JSON.stringify(messages)).toContain('fits this JSON Schema');
  },
);

test('a refused stream_options is left out', async () => {
  const server = await serving((response, { body }) =>
    'stream_options' in body
      ? refuse(response, 400, { message: 'Extra inputs: stream_options' })
      : goodAnswer(response),
  );
  expect((await answerOf(server)).text).toBe('Hi.');
});

test('options go out under their wire names, extras as they are, and nothing switches streaming off', async () => {
  const server = await serving((response) => goodAnswer(response));
  await answerOf(server, {
    options: {
      temperature: 0.5,
      topP: 0.9,
      stopSequences: ['END'],
      reasoningEffort: 'low',
      extra: { service_tier: 'flex', stream: false },
    },
    tools: [{ name: 'find', description: 'Finds.', parameters: { type: 'object' } }],
    messages: [
      { role: 'user', content: 'Find x.' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'find', arguments: '{}' }] },
      { role: 'tool', content: 'x', toolCallId: 'a' },
    ],
  });
  expect(server.requests[0]?.body).toMatchObject({
    temperature: 0.5,
    top_p: 0.9,
    stop: ['END'],
    reasoning_effort: 'low',
    service_tier: 'flex',
    stream: true,
    tools: [{ type: 'function', function: { name: 'find' } }],
    messages: [
      { role: 'user' },
      {
        role: 'assistant',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'find' } }],
      },
      { role: 'tool', tool_call_id: 'a', content: 'x' },
    ],
  });
});

test('what OPENAI_* variables hold goes to the provider of that name only', async () => {
  vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'x-gateway-key: secret');
  vi.stubEnv('OPENAI_ORG_ID', 'org-1');
  const server = await serving((response) => goodAnswer(response));
  try {
    await answerOf(server);
    await answerOf({ ...server, provider: { ...server.provider, name: 'openai' } });
  } finally {
    vi.unstubAllEnvs();
  }
  const sent = server.requests.map(({ headers }) => [
    headers['x-gateway-key'],
    headers['openai-organization'],
  ]);
  expect(sent).toEqual([
    [undefined, undefined],
    ['secret', 'org-1'],
  ]);
});

test('calls one after the other share a connection, and a page nobody reads holds none', async () => {
  const ports = new Set<number | undefined>();
  const server = await serving((response, _, count) => {
    ports.add(response.socket?.remotePort);
    if (count < 21) return goodAnswer(response);
    response.writeHead(200, { 'content-type': 'text/html' });
    response.write('<html>');
    return response.on('close', () => ports.clear());
  });
  const caller = await createCaller(server.provider);
  const { signal } = new AbortController();
  for (let count = 1; count < 21; count += 1) await caller.call(modelCall(), signal);
  // The first few may overlap with the closing of the one before.
  expect(ports.size).toBeLessThan(10);
  await expect(caller.call(modelCall(), signal)).rejects.toMatchObject({
    code: 'not_a_model_endpoint',
  });
  await vi.waitFor(() => expect(ports.size).toBe(0), { timeout: patienceMs });
});
