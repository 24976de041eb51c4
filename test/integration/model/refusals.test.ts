/** What a server refuses in a request, and how the same is said so that it is taken: once, then at once. */

import { expect, test } from 'vitest';
import { createCaller, type ModelCall } from '../../../core/model/index.ts';
import {
  type Answer,
  delta,
  failureOf,
  goodAnswer,
  modelCall,
  refuse,
  type SeenRequest,
  serving,
  sse,
} from './fake-server.ts';

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['a'],
  properties: { a: { type: 'integer' } },
};
const responseSchema = { name: 'answer', schema };
const tools = [{ name: 'find', description: 'Finds.', parameters: { type: 'object' } }];

type Body = SeenRequest['body'];
const roles = (body: Body): string[] =>
  (body['messages'] as { role: string }[]).map(({ role }) => role);

interface Row {
  readonly what: string;
  /** True for a body that the server takes. */
  readonly takes: (body: Body) => boolean;
  readonly error: { readonly message: string; readonly param?: string; readonly code?: string };
  readonly status?: number;
  readonly call?: Partial<ModelCall>;
  /** Requests until it is taken for the first time. */
  readonly requests: number;
}

const rows: readonly Row[] = [
  {
    what: 'temperature',
    takes: (body) => !('temperature' in body),
    error: {
      message: "Unsupported value: 'temperature' does not support 0.2.",
      param: 'temperature',
    },
    call: { options: { temperature: 0.2 } },
    requests: 2,
  },
  {
    what: 'one sampling parameter after the other, in words only',
    takes: (body) =>
      !('temperature' in body) && !('top_p' in body) && !('reasoning_effort' in body),
    error: { message: 'temperature, top_p and reasoning_effort are not allowed here' },
    call: { options: { temperature: 0.2, topP: 1, reasoningEffort: 'low' } },
    requests: 4,
  },
  {
    what: 'max_completion_tokens, named by FastAPI',
    takes: (body) => !('max_completion_tokens' in body),
    error: { message: '[{"loc":["body","max_completion_tokens"],"msg":"extra"}]' },
    status: 422,
    call: { options: { maxOutputTokens: 9 } },
    requests: 2,
  },
  {
    what: 'max_tokens that somebody set by hand',
    takes: (body) => !('max_tokens' in body),
    error: {
      message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
      param: 'max_tokens',
    },
    call: { options: { extra: { max_tokens: 9 } } },
    requests: 2,
  },
  {
    what: 'a limit above what the model can',
    takes: (body) => body['max_completion_tokens'] === 16_384,
    error: {
      message:
        'max_tokens is too large: 32000. This model supports at most 16,384 completion tokens.',
      param: 'max_tokens',
    },
    call: { options: { maxOutputTokens: 32_000 } },
    requests: 2,
  },
  {
    what: 'streaming',
    takes: (body) => body['stream'] === false && !('stream_options' in body),
    error: {
      message: 'Your organization must be verified to stream this model.',
      param: 'stream',
      code: 'unsupported_value',
    },
    requests: 2,
  },
  {
    what: 'streaming, with 501 and in words',
    takes: (body) => body['stream'] === false,
    error: { message: 'Streaming is not implemented.' },
    status: 501,
    requests: 2,
  },
  {
    what: 'stream_options',
    takes: (body) => !('stream_options' in body),
    error: { message: 'Extra inputs: stream_options' },
    requests: 2,
  },
  {
    what: 'a system message',
    takes: (body) => !roles(body).includes('system'),
    error: { message: 'System role not supported' },
    requests: 2,
  },
  {
    what: 'a system message, named as a parameter',
    takes: (body) => !roles(body).includes('system'),
    error: {
      message: "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
      param: 'messages[0].role',
    },
    requests: 2,
  },
  {
    what: 'a system message of Gemma',
    takes: (body) => !roles(body).includes('system'),
    error: { message: 'Developer instruction is not enabled for models/gemma-3-27b-it' },
    requests: 2,
  },
  {
    what: 'strict schemas',
    takes: (body) => !JSON.stringify(body['response_format']).includes('"strict":true'),
    error: { message: 'strict schemas are not supported' },
    call: { responseSchema },
    requests: 2,
  },
  {
    what: 'every response_format',
    takes: (body) =>
      !('response_format' in body) && JSON.stringify(body['messages']).includes('JSON Schema'),
    error: { message: 'response_format is not supported', param: 'response_format' },
    call: { responseSchema },
    requests: 4,
  },
  {
    what: 'tools',
    takes: (body) => !('tools' in body) && JSON.stringify(body['messages']).includes('tool_calls'),
    error: { message: 'registry.ollama.ai/library/gemma:2b does not support tools' },
    call: { tools, responseSchema },
    requests: 2,
  },
  {
    what: 'tools of OpenRouter',
    takes: (body) => !('tools' in body),
    error: { message: 'No endpoints found that support tool use.' },
    status: 404,
    call: { tools },
    requests: 2,
  },
];

test.each(rows)('$what', async ({ takes, error, status = 400, call = {}, requests }) => {
  const server = await serving((response, { body }) => {
    if (!takes(body)) return refuse(response, status, error);
    if (body['stream'] === true) return goodAnswer(response, 'Good.');
    response.writeHead(200, { 'content-type': 'application/json' });
    const message = { content: 'Good.' };
    return response.end(JSON.stringify({ choices: [{ message, finish_reason: 'stop' }] }));
  });
  const caller = await createCaller(server.provider);
  const { signal } = new AbortController();
  expect((await caller.call(modelCall(call), signal)).text).toBe('Good.');
  expect(server.requests).toHaveLength(requests);
  await caller.call(modelCall(call), signal);
  expect(server.requests).toHaveLength(requests + 1);
  // Another model of that server has its own rules.
  await caller.call(modelCall({ ...call, model: 'other' }), signal);
  expect(server.requests).toHaveLength(2 * requests + 1);
});

test('a refusal inside a stream that began well is put another way, too', async () => {
  const server = await serving((response, { body }) => {
    if (!('temperature' in body)) return goodAnswer(response, 'Good.');
    const error = { message: "Unsupported: 'temperature'", type: 'invalid_request_error' };
    sse(response, [{ error }]);
    return response.end();
  });
  const caller = await createCaller(server.provider);
  const request = modelCall({ options: { temperature: 0.5 } });
  expect((await caller.call(request, new AbortController().signal)).text).toBe('Good.');
});

test('what did not help is not learned', async () => {
  const server = await serving((response, { body }, count) =>
    count === 1 || !('temperature' in body)
      ? refuse(response, 400, { message: 'temperature is odd today' })
      : goodAnswer(response),
  );
  const caller = await createCaller(server.provider);
  const { signal } = new AbortController();
  const request = modelCall({ options: { temperature: 0.5 } });
  await expect(caller.call(request, signal)).rejects.toMatchObject({ code: 'bad_request' });
  await caller.call(request, signal);
  expect(server.requests.map(({ body }) => body['temperature'])).toEqual([0.5, undefined, 0.5]);
});

test.each([
  [400, { message: 'Access to this model is restricted in your region.' }],
  [400, { message: 'Something else is wrong, temperature is not even sent.' }],
  [404, { message: 'The model `stream-tools` does not exist', code: 'model_not_found' }],
])('a refusal of something else is asked once only: %s %o', async (status, error) => {
  const server = await serving((response) => refuse(response, status, error));
  await failureOf(server.provider, { responseSchema: { name: 'x', schema: { type: 'object' } } });
  expect(server.requests).toHaveLength(1);
});

test('tools in words: a call is read from the answer, and its result is told as text', async () => {
  const server = await serving((response, { body }, count) => {
    if ('tools' in body) return refuse(response, 400, { message: 'does not support tools' });
    if (count === 2) {
      const call = '{"tool_calls":[{"name":"find","arguments":{"q":"x"}}]}';
      return goodAnswer(response, `I will look.\n\`\`\`json\n${call}\n\`\`\``);
    }
    return goodAnswer(response, 'Found.');
  });
  const caller = await createCaller(server.provider);
  const { signal } = new AbortController();
  const first = await caller.call(modelCall({ tools }), signal);
  expect(first.toolCalls).toEqual([{ id: 'call_0', name: 'find', arguments: '{"q":"x"}' }]);
  const { messages } = modelCall();
  const second = await caller.call(
    modelCall({
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: '', toolCalls: first.toolCalls },
        { role: 'tool', content: 'It is in x.md.', toolCallId: 'call_0' },
      ],
    }),
    signal,
  );
  expect(second).toMatchObject({ text: 'Found.', toolCalls: [] });
  expect(roles(server.requests[2]!.body)).toEqual(['system', 'user', 'assistant', 'user']);
  expect(JSON.stringify(server.requests[2]!.body)).toContain('It is in x.md.');
});

test.each(['json_validate_failed', 'tool_use_failed'])(
  'a bad sample (%s) is worth another try',
  async (code) => {
    const message = 'Failed to call a function. Please adjust your prompt. See failed_generation.';
    const server = await serving((response) => refuse(response, 400, { message, code }));
    expect(await failureOf(server.provider, { tools })).toMatchObject({
      failure: 'transient',
      code: 'bad_sample',
    });
    expect(server.requests).toHaveLength(1);
  },
);

test('a provider with headers and parameters of its own gets them, and no other key', async () => {
  const server = await serving((response) => goodAnswer(response));
  const provider = {
    ...server.provider,
    apiKey: 'none',
    headers: { 'api-key': 'azure-secret-123' },
    query: { 'api-version': '2024-10-21' },
  };
  const caller = await createCaller(provider);
  await caller.call(modelCall(), new AbortController().signal);
  const [request] = server.requests;
  expect(request?.url).toBe('/v1/chat/completions?api-version=2024-10-21');
  expect(request?.headers['api-key']).toBe('azure-secret-123');
  expect(request?.headers.authorization).toBeUndefined();
});

const halfAnswer = delta({ content: 'x'.repeat(400) });
const said = { choices: [], usage: { prompt_tokens: 1000, completion_tokens: 100 } };

/** Every failed call that may have been paid for says what it used. */
const paid: readonly (readonly [string, Answer, object | null])[] = [
  ['filtered', ended([halfAnswer, delta({}, 'content_filter'), said]), { inputTokens: 1000 }],
  ['refused', ended([delta({ refusal: 'No.' }), delta({}, 'stop'), said]), { outputTokens: 100 }],
  ['empty', ended([delta({ content: '' }), delta({}, 'stop'), said]), { estimated: false }],
  [
    'thoughts only',
    ended([delta({ content: '<think>x' }), delta({}, 'stop'), said]),
    { inputTokens: 1000 },
  ],
  ['an unknown end', ended([halfAnswer, delta({}, 'abort'), said]), { inputTokens: 1000 }],
  ['cut, counted', ended([halfAnswer, said]), { inputTokens: 1000, outputTokens: 100 }],
  ['cut', ended([halfAnswer]), { outputTokens: 100, estimated: true }],
  [
    'an error in the middle',
    ended([halfAnswer, { error: { message: 'oops' } }]),
    { outputTokens: 100 },
  ],
  ['silent in the middle', (response) => sse(response, [halfAnswer]), { outputTokens: 100 }],
  ['no answer in time', () => {}, { outputTokens: 0, estimated: true }],
  ['too long', ended([delta({ content: 'x'.repeat(120_000) })]), { outputTokens: 30_000 }],
  ['an HTTP error', (response) => refuse(response, 500, { message: 'oops' }), null],
  ['throttled', (response) => refuse(response, 429, { message: 'slow' }), null],
  ['an error instead of an answer', ended([{ error: { message: 'oops' } }]), null],
  ['a reset', (response) => response.socket?.resetAndDestroy(), null],
];

function ended(events: readonly object[]): Answer {
  return (response) => {
    sse(response, events);
    response.end();
  };
}

test.each(paid)('a failed call is in the account: %s', async (_, answer, usage) => {
  const server = await serving(answer);
  const error = await failureOf(server.provider, { timeoutMs: 3_000, idleMs: 1_000 });
  if (usage === null) expect(error.usage).toBeNull();
  else expect(error.usage).toMatchObject(usage);
});

test('a refusal that says what it used is in the account', async () => {
  const server = await serving((response) => {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end('{"error":{"message":"no"},"usage":{"prompt_tokens":7,"completion_tokens":0}}');
  });
  expect((await failureOf(server.provider)).usage).toMatchObject({ inputTokens: 7 });
});

test.each([
  'abort',
  'error',
  'insufficient_system_resource',
  'function_call_filter',
  'tool_calls',
  'x',
])('an answer that ended with %s is none, and its failure says so', async (reason) => {
  const server = await serving(ended([delta({ content: 'Half of' }), delta({}, reason)]));
  const error = await failureOf(server.provider);
  expect(error).toMatchObject({ failure: 'transient', code: 'answer_unfinished' });
  expect(error.message).toContain(reason);
});
