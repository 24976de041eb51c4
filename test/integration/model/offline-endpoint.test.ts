/** The offline endpoint over its socket: answers, faults that repeat exactly, thread and process. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createCaller,
  type ModelCall,
  ModelError,
  type OfflineCall,
  type OfflineEndpoint,
  offlineLabel,
  type Provider,
  startOfflineEndpoint,
  startOfflineThread,
} from '../../../core/model/index.ts';
import { failureOf, modelCall } from './fake-server.ts';

let endpoint: OfflineEndpoint;
const calls: OfflineCall[] = [];

beforeAll(async () => {
  endpoint = await startOfflineEndpoint({ onCall: (seen) => calls.push(seen) });
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

/** What became of a call, in a word. */
async function outcome(model: string, subject: string): Promise<string> {
  try {
    return (await call(endpoint.provider, { ...summarize(model, subject), idleMs: 100 }))
      .finishReason;
  } catch (error) {
    if (error instanceof ModelError) return error.code;
    throw error;
  }
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

const faulty = 'aiq-offline?error=429:0.2&error=500:0.1&cut=0.15&html=0.1&reset=0.1&length=0.1';

function round(seed: number): Promise<string[]> {
  const subjects = Array.from({ length: 24 }, (_, index) => `${text} Part ${index}.`);
  return Promise.all(subjects.map((subject) => outcome(`${faulty}&seed=${seed}`, subject)));
}

test('faults repeat exactly for the same seed and requests, and differ for another seed', async () => {
  const first = await round(1);
  const other = await round(2);
  const twin = await startOfflineEndpoint();
  const before = endpoint;
  endpoint = twin;
  const again = await round(1);
  endpoint = before;
  await twin.close();
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  for (const code of ['rate_limited', 'stop']) expect(first).toContain(code);
  expect(new Set(first).size).toBeGreaterThan(3);
});

test('the same request again throws the dice again, so that a retry can succeed', async () => {
  const outcomes = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    outcomes.push(await outcome('aiq-offline?error=500:0.5&seed=3', text));
  }
  expect(new Set(outcomes)).toEqual(new Set(['server_error', 'stop']));
});

test('each fault shows up as what it is', async () => {
  expect(await outcome('aiq-offline?error=503:1&retryAfter=3', text)).toBe('overloaded');
  expect(await outcome('aiq-offline?error=401', text)).toBe('unauthorized');
  expect(await outcome('aiq-offline?cut=1', text)).toBe('stream_cut');
  expect(await outcome('aiq-offline?silent=1', text)).toBe('stream_idle');
  expect(await outcome('aiq-offline?html=1', text)).toBe('not_a_model_endpoint');
  expect(await outcome('aiq-offline?reset=1', text)).toBe('connection_failed');
  expect(await outcome('aiq-offline?length=1', text)).toBe('length');
  expect(await outcome('aiq-offline?long=200kb', text)).toBe('answer_too_long');
  const throttled = await failureOf(
    endpoint.provider,
    summarize('aiq-offline?error=429&retryAfter=3'),
  );
  expect(throttled.retryAfterMs).toBe(3000);
  const uncounted = await call(endpoint.provider, summarize('aiq-offline?usage=off'));
  expect(uncounted.usage.estimated).toBe(true);
});

test('an unknown knob is refused by name', async () => {
  const error = await failureOf(endpoint.provider, { model: 'aiq-offline?lateness=3' });
  expect(error).toMatchObject({ failure: 'permanent', status: 400 });
  expect(error.message).toContain('lateness');
});

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

test('many calls with latency wait side by side', async () => {
  const before = endpoint.counts();
  const caller = await createCaller(endpoint.provider);
  const abort = new AbortController();
  const ended = Promise.allSettled(
    Array.from({ length: 60 }, (_, index) =>
      caller.call(summarize('aiq-offline?latency=3600s', `${text} ${index}`), abort.signal),
    ),
  );
  // None is answered before the last has begun.
  await expect.poll(() => endpoint.counts().calls - before.calls).toBe(60);
  abort.abort();
  await ended;
  await expect.poll(() => endpoint.counts().failed - before.failed).toBe(60);
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
  const models = await fetch(`${endpoint.baseURL}/models`, {
    headers: { authorization: `Bearer ${endpoint.apiKey}` },
  });
  expect(await models.json()).toMatchObject({ data: [{ id: 'aiq-offline' }] });
});

test('calls are counted and told, with the hash of the user message', async () => {
  calls.length = 0;
  const before = endpoint.counts();
  await call(endpoint.provider, summarize('aiq-offline'));
  await outcome('aiq-offline?cut=1', text);
  expect(endpoint.counts()).toEqual({
    calls: before.calls + 2,
    ok: before.ok + 1,
    failed: before.failed + 1,
  });
  expect(calls.map(({ phase, status, ok }) => [phase, status, ok])).toEqual([
    ['started', null, false],
    ['finished', 200, true],
    ['started', null, false],
    ['finished', 200, false],
  ]);
  expect(calls[0]?.userSha256).toMatch(/^[0-9a-f]{64}$/);
});

test('it runs in a thread of its own, counts across threads and stops', async () => {
  const thread = await startOfflineThread();
  expect((await call(thread.provider, summarize('aiq-offline'))).finishReason).toBe('stop');
  expect(thread.counts()).toEqual({ calls: 1, ok: 1, failed: 0 });
  await thread.close();
  expect((await failureOf(thread.provider, summarize('aiq-offline'))).code).toBe(
    'connection_failed',
  );
});

test('as a process it tells its address and logs every call', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'aiq-offline-'));
  const file = join(dir, 'calls.jsonl');
  const main = join(import.meta.dirname, '../../../core/model/offline/main.ts');
  const child = spawn(process.execPath, [main, '--calls', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { baseURL, apiKey } = JSON.parse(line.toString()) as { baseURL: string; apiKey: string };
    await call({ ...endpoint.provider, baseURL, apiKey }, summarize('aiq-offline'));
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    expect(lines.map((entry) => (JSON.parse(entry) as OfflineCall).phase)).toEqual([
      'started',
      'finished',
    ]);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
  } finally {
    child.kill('SIGKILL');
    await rm(dir, { recursive: true });
  }
});
