/** The offline endpoint over its socket: its answers, its refusals, and its thread. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type OfflineEndpoint,
  offlineLabel,
  startOfflineThread,
} from '../../../core/offline-model/index.ts';
import { call, failureOf, millText, modelCall, summarize } from '../model/fake-server.ts';

let endpoint: OfflineEndpoint;

beforeAll(async () => {
  endpoint = await startOfflineThread();
});

afterAll(() => endpoint.close());

test('an answer is an extract within the limits of the prompt, labelled, with estimated usage', async () => {
  const answer = await call(endpoint.provider, summarize('aiq-offline'));
  const [body, label] = answer.text.split('\n\n');
  expect(label).toBe(offlineLabel);
  const bullets = (body ?? '').split('\n');
  expect(bullets).toHaveLength(2);
  for (const bullet of bullets) expect(millText).toContain(bullet.slice(2));
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
      content: JSON.stringify([{ path: 'mill.md', text: millText }]),
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
