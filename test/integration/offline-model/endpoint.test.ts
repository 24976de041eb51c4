/** The offline endpoint over its socket: its answers, its refusals, and its thread. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCaller, type ModelCall, type Provider } from '../../../core/model/index.ts';
import {
  type OfflineEndpoint,
  offlineLabel,
  startOfflineThread,
} from '../../../core/offline-model/index.ts';
import { failureOf, modelCall } from '../model/fake-server.ts';

let endpoint: OfflineEndpoint;

beforeAll(async () => {
  endpoint = await startOfflineThread();
});

afterAll(() => endpoint.close());

const text =
  'The mill was built on the river in 1820. It burned down in the winter of 1901. ' +
  'The owners rebuilt the mill of brick in 1903. The mill shut for good in 1950.';

function summarize(model: string, subject = text): ModelCall {
  return modelCall({
    model,
    messages: [
      { role: 'system', content: 'Answer with at most 2 bullets, each one sentence.' },
      { role: 'user', content: `<text>\n${subject}\n</text>` },
    ],
  });
}

async function call(provider: Provider, request: ModelCall) {
  const caller = await createCaller(provider);
  return caller.call(request, new AbortController().signal);
}

test('an answer is an extract within the limits of the prompt, labelled, with estimated usage', async () => {
  const answer = await call(endpoint.provider, summarize('aiq-offline'));
  const [body, label] = answer.text.split('\n\n');
  expect(label).toBe(offlineLabel);
  const bullets = (body ?? '').split('\n');
  expect(bullets).toHaveLength(2);
  for (const bullet of bullets) expect(text).toContain(bullet.slice(2));
  expect(answer).toMatchObject({ finishReason: 'stop', usage: { estimated: true } });
});

test('a schema is filled, a tool is called, and its result is quoted', async () => {
  const responseSchema = {
    name: 'mill',
    schema: {
      type: 'object',
      required: ['title', 'tags'],
      properties: { title: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
    },
  };
  const json = await call(endpoint.provider, { ...summarize('aiq-offline'), responseSchema });
  expect(JSON.parse(json.text)).toMatchObject({
    title: expect.any(String),
    tags: expect.any(Array),
  });

  const parameters = {
    type: 'object',
    required: ['query'],
    properties: { query: { type: 'string' } },
  };
  const tools = [{ name: 'search_files', description: 'Searches.', parameters }];
  const question = { role: 'user', content: 'Question: When did the mill burn?' } as const;
  const asked = await call(
    endpoint.provider,
    modelCall({ model: 'aiq-offline', messages: [question], tools }),
  );
  expect(asked.finishReason).toBe('tool_calls');
  expect(asked.toolCalls).toMatchObject([{ name: 'search_files' }]);
  expect(JSON.parse(asked.toolCalls[0]?.arguments ?? '')).toEqual({
    query: 'When did the mill burn?',
  });

  const messages = [
    question,
    { role: 'assistant', content: '', toolCalls: asked.toolCalls } as const,
    {
      role: 'tool',
      content: JSON.stringify([{ path: 'mill.md', text }]),
      toolCallId: 'x',
    } as const,
  ];
  const quoted = await call(
    endpoint.provider,
    modelCall({ model: 'aiq-offline', messages, tools }),
  );
  expect(quoted.text).toContain('> It burned down in the winter of 1901.');
});

test.each(['15:54:01', '42', '"15:54:01"', '{"price":12.5,"ok":true}', '[]', 'yes'])(
  'what a tool returned is shown, also where it holds no sentence: %s',
  async (content) => {
    const { text: answer } = await call(
      endpoint.provider,
      modelCall({
        model: 'aiq-offline',
        messages: [
          { role: 'user', content: 'What time is it?' },
          {
            role: 'assistant',
            content: '',
            toolCalls: [{ id: 'c1', name: 'clock', arguments: '{}' }],
          },
          { role: 'tool', toolCallId: 'c1', content },
        ],
      }),
    );
    expect(answer).toContain(`> ${content.replace(/^"|"$/g, '')}`);
  },
);

test('a schema that cannot be filled is refused with its place', async () => {
  const schema = {
    type: 'object',
    required: ['a'],
    properties: { a: { type: 'string', pattern: '^\\$$' } },
  };
  const error = await failureOf(endpoint.provider, {
    model: 'aiq-offline',
    responseSchema: { name: 'x', schema },
  });
  expect(error).toMatchObject({ failure: 'permanent', code: 'bad_request' });
  expect(error.message).toContain('schema at a');
});

test('bad requests get errors in the form of OpenAI', async () => {
  const post = (path: string, body: string): Promise<Response> =>
    fetch(`${endpoint.baseURL}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${endpoint.apiKey}` },
      body,
    });
  const rows: [string, string, number][] = [
    ['/chat/completions', '{', 400],
    ['/chat/completions', 'null', 400],
    ['/chat/completions', '{"model":"aiq-offline","messages":[]}', 400],
    ['/chat/completions', '{"model":"aiq-offline","messages":[null]}', 400],
    ['/elsewhere', '{}', 404],
  ];
  for (const [path, body, status] of rows) {
    const response = await post(path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { message: expect.any(String) } });
  }
});

test('after it is closed, calls cannot connect', async () => {
  const thread = await startOfflineThread();
  expect((await call(thread.provider, summarize('aiq-offline'))).finishReason).toBe('stop');
  await thread.close();
  expect((await failureOf(thread.provider, summarize('aiq-offline'))).code).toBe(
    'connection_failed',
  );
});
