/** Every way in which a provider fails, against real servers on loopback: class, code and words. */

import { expect, test } from 'vitest';
import { startOfflineThread } from '../../../core/offline-model/index.ts';
import {
  delta,
  failureOf,
  fakeServer,
  goodAnswer,
  providerAt,
  refuse,
  serving,
  sse,
  testKey,
} from './fake-server.ts';

const refusals = [
  {
    status: 401,
    error: { message: 'bad key', code: 'invalid_api_key' },
    failure: 'misconfigured',
    code: 'unauthorized',
  },
  { status: 403, error: { message: 'no' }, failure: 'blocked', code: 'forbidden' },
  {
    status: 403,
    error: { message: 'Your input was flagged by our moderation.' },
    failure: 'permanent',
    code: 'content_filter',
  },
  {
    status: 403,
    error: { message: 'Country, region, or territory not supported' },
    failure: 'misconfigured',
    code: 'region_refused',
  },
  { status: 402, error: { message: 'no credit' }, failure: 'exhausted', code: 'quota_exhausted' },
  {
    status: 429,
    error: { message: 'pay', code: 'insufficient_quota' },
    failure: 'exhausted',
    code: 'quota_exhausted',
  },
  {
    status: 429,
    error: { message: 'Quota exceeded for GenerateRequestsPerDayPerProject' },
    failure: 'exhausted',
    code: 'quota_exhausted',
  },
  {
    status: 429,
    error: {
      message: 'Request too large for gpt-x on tokens per min (TPM): Limit 30000, Requested 52000.',
      code: 'rate_limit_exceeded',
    },
    failure: 'permanent',
    code: 'request_above_limit',
  },
  {
    status: 429,
    error: {
      message: 'Rate limit reached (TPM): Limit 30000, Used 29000, Requested 2000.',
      code: 'rate_limit_exceeded',
    },
    failure: 'throttled',
    code: 'rate_limited',
  },
  {
    status: 413,
    error: { message: 'Request too large for model `x`', code: 'rate_limit_exceeded' },
    failure: 'permanent',
    code: 'request_above_limit',
  },
  {
    status: 400,
    error: { message: 'No models loaded. Please load a model.' },
    failure: 'misconfigured',
    code: 'no_model_loaded',
  },
  {
    status: 400,
    error: { message: 'The model `x` has been decommissioned', code: 'model_decommissioned' },
    failure: 'misconfigured',
    code: 'model_not_found',
  },
  {
    status: 400,
    error: { message: 'API key not valid. Please pass a valid API key.' },
    failure: 'misconfigured',
    code: 'unauthorized',
  },
  {
    status: 400,
    error: {
      message: 'the request exceeds the available context size',
      type: 'exceed_context_size_error',
    },
    failure: 'permanent',
    code: 'context_length_exceeded',
  },
  { status: 429, error: { message: 'slow down' }, failure: 'throttled', code: 'rate_limited' },
  {
    status: 400,
    error: { message: 'bad', type: 'invalid_request_error' },
    failure: 'permanent',
    code: 'bad_request',
  },
  {
    status: 400,
    error: { message: 'long', code: 'context_length_exceeded' },
    failure: 'permanent',
    code: 'context_length_exceeded',
  },
  {
    status: 404,
    error: { message: 'no such model', code: 'model_not_found' },
    failure: 'misconfigured',
    code: 'model_not_found',
  },
  { status: 413, error: { message: 'big' }, failure: 'permanent', code: 'context_length_exceeded' },
  { status: 415, error: { message: 'type' }, failure: 'permanent', code: 'bad_request' },
  { status: 422, error: { message: 'odd' }, failure: 'permanent', code: 'bad_request' },
  { status: 408, error: { message: 'late' }, failure: 'unavailable', code: 'server_timeout' },
  { status: 409, error: { message: 'clash' }, failure: 'transient', code: 'conflict' },
  { status: 500, error: { message: 'oops' }, failure: 'unavailable', code: 'server_error' },
  { status: 503, error: { message: 'busy' }, failure: 'throttled', code: 'overloaded' },
  { status: 529, error: { message: 'busy' }, failure: 'throttled', code: 'overloaded' },
  { status: 498, error: { message: 'busy' }, failure: 'throttled', code: 'overloaded' },
];

test.each(refusals)(
  '$status $error.code is $failure, $code, and is asked once only',
  async (row) => {
    const server = await serving((response) => refuse(response, row.status, row.error));
    const error = await failureOf(server.provider);
    expect(error).toMatchObject({ failure: row.failure, code: row.code, status: row.status });
    expect(error.message).toContain(row.error.message);
    expect(server.requests).toHaveLength(1);
  },
);

test('Retry-After is read as seconds, as a date and as milliseconds, and is kept when long', async () => {
  const inTenMinutes = new Date(Date.now() + 600_000).toUTCString();
  const headers: { [name: string]: string }[] = [
    { 'retry-after': '120' },
    { 'retry-after': inTenMinutes },
    { 'retry-after-ms': '1500' },
    { 'retry-after': '86400' },
    { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s' },
  ];
  const server = await serving((response, _, count) =>
    refuse(response, 429, { message: 'slow down' }, headers[count - 1]),
  );
  const waits = [];
  for (const _ of headers) waits.push((await failureOf(server.provider)).retryAfterMs);
  expect(waits[0]).toBe(120_000);
  expect(waits[1]).toBeGreaterThan(580_000);
  expect(waits[1]).toBeLessThanOrEqual(600_000);
  expect(waits.slice(2)).toEqual([1500, 900_000, 360_000]);
});

test('a page with 403 is no refusal of the key, whatever words stand on it', async () => {
  const server = await serving((response) => {
    response.writeHead(403, { 'content-type': 'text/html' });
    response.end(
      '<!DOCTYPE html><title>Blocked by policy: invalid api key, model not found</title>',
    );
  });
  expect(await failureOf(server.provider)).toMatchObject({ failure: 'blocked', status: 403 });
});

test('503 with Retry-After is throttling', async () => {
  const server = await serving((response) =>
    refuse(response, 503, { message: 'busy' }, { 'retry-after': '7' }),
  );
  expect(await failureOf(server.provider)).toMatchObject({
    failure: 'throttled',
    retryAfterMs: 7000,
  });
});

test('a stream that ends without a finish reason is cut, whatever arrived', async () => {
  const server = await serving((response) => {
    sse(response, [delta({ content: 'Half of' }), '[DONE]']);
    response.end();
  });
  expect(await failureOf(server.provider)).toMatchObject({
    failure: 'unavailable',
    code: 'stream_cut',
  });
});

test('a reset in the middle of the stream and at its beginning is an outage and names the cause', async () => {
  const server = await serving(async (response, _, count) => {
    if (count === 1) return response.socket?.resetAndDestroy();
    sse(response, [delta({ content: 'Half' })]);
    await new Promise((resolve) => {
      setTimeout(resolve, 30);
    });
    return response.socket?.resetAndDestroy();
  });
  for (const _ of [1, 2]) {
    const error = await failureOf(server.provider);
    expect(error).toMatchObject({ failure: 'unavailable', code: 'connection_failed' });
    expect(error.message).toMatch(/ECONNRESET|UND_ERR_SOCKET|other side closed/);
  }
});

test('a refused connection is an outage and says so', async () => {
  const server = await fakeServer(() => {});
  await server.close();
  const error = await failureOf(server.provider);
  expect(error).toMatchObject({ failure: 'unavailable', code: 'connection_failed' });
  expect(error.message).toContain('ECONNREFUSED');
});

test('a stream that goes silent ends at the idle limit', async () => {
  const server = await serving((response) => sse(response, [delta({ content: 'One moment' })]));
  expect(await failureOf(server.provider, { idleMs: 50 })).toMatchObject({
    failure: 'unavailable',
    code: 'stream_idle',
  });
});

test('a stream that drips for ever ends at the deadline', async () => {
  const server = await serving((response) => {
    sse(response, []);
    const timer = setInterval(() => response.write(': still here\n\n'), 10);
    response.on('close', () => clearInterval(timer));
  });
  // Never silent for as long, however long the machine stands still.
  expect(await failureOf(server.provider, { timeoutMs: 150, idleMs: 60_000 })).toMatchObject({
    failure: 'unavailable',
    code: 'deadline',
  });
});

test('a server that sends no headers ends at the deadline too', async () => {
  const server = await serving(() => {});
  expect((await failureOf(server.provider, { timeoutMs: 100 })).code).toBe('deadline');
});

test('an answer over the limit is refused, in small pieces, in one line and as a whole', async () => {
  const server = await serving(async (response, _, count) => {
    if (count === 2) {
      response.writeHead(200, { 'content-type': 'application/json' });
      const message = { content: 'x'.repeat(2000) };
      return response.end(JSON.stringify({ choices: [{ message, finish_reason: 'stop' }] }));
    }
    sse(response, []);
    if (count === 3) response.write('data: {"a":"');
    const piece =
      count === 3
        ? 'x'.repeat(100_000)
        : `data: ${JSON.stringify(delta({ content: 'x'.repeat(100) }))}\n\n`;
    const timer = setInterval(() => response.write(piece), 1);
    return response.on('close', () => clearInterval(timer));
  });
  for (const _ of [1, 2, 3]) {
    expect(await failureOf(server.provider, { answerBytesMax: 1000 })).toMatchObject({
      failure: 'permanent',
      code: 'answer_too_long',
    });
  }
});

test.each([
  [{ message: 'overloaded', type: 'overloaded_error' }, 'throttled', 'overloaded'],
  [{ message: 'too fast', code: 429 }, 'throttled', 'rate_limited'],
  [{ message: 'no money', code: 'insufficient_quota' }, 'exhausted', 'quota_exhausted'],
  [{ message: 'something broke' }, 'unavailable', 'server_error'],
])('an error object inside the stream counts: %o', async (error, failure, code) => {
  const server = await serving((response) => {
    sse(response, [delta({ content: 'Half' }), { error }]);
    response.end();
  });
  expect(await failureOf(server.provider)).toMatchObject({ failure, code });
});

test('broken JSON inside the stream is an outage', async () => {
  const server = await serving((response) => {
    sse(response, ['{"choices": [']);
    response.end();
  });
  expect(await failureOf(server.provider)).toMatchObject({
    failure: 'unavailable',
    code: 'bad_stream',
  });
});

test('a content filter and a refusal are permanent; an empty answer is not', async () => {
  const answers = [
    [delta({ content: 'So' }), delta({}, 'content_filter')],
    [delta({ refusal: 'I would rather not.' }), delta({}, 'stop')],
    [delta({ content: '' }), delta({}, 'stop')],
  ];
  const server = await serving((response, _, count) => {
    sse(response, answers[count - 1] ?? []);
    response.end();
  });
  const errors = [];
  for (const _ of answers) errors.push(await failureOf(server.provider));
  expect(errors.map(({ failure, code }) => [failure, code])).toEqual([
    ['permanent', 'content_filter'],
    ['permanent', 'refused'],
    ['transient', 'empty_answer'],
  ]);
});

test('our own abort is told apart, before the call and during the stream', async () => {
  const server = await serving((response) => sse(response, [delta({ content: 'Half' })]));
  const [before, during] = [new AbortController(), new AbortController()];
  before.abort();
  setTimeout(() => during.abort(), 100);
  for (const abort of [before, during]) {
    expect(await failureOf(server.provider, {}, abort)).toMatchObject({
      failure: 'aborted',
      code: 'aborted',
    });
  }
});

test('a redirect is not followed, so the key reaches no other address', async () => {
  const elsewhere = await serving((response) => goodAnswer(response));
  const server = await serving((response) => {
    response.writeHead(307, { location: `${elsewhere.provider.baseURL}chat/completions` });
    response.end();
  });
  expect(await failureOf(server.provider)).toMatchObject({
    failure: 'misconfigured',
    code: 'redirected',
  });
  expect(elsewhere.requests).toHaveLength(0);
});

test('no message and no property of an error holds the key, however the server echoes it', async () => {
  const encoded = Buffer.from(testKey).toString('base64');
  const echo = `Incorrect API key: ${testKey} (Bearer ${testKey}; sk-other-987654321; ${encoded})`;
  const server = await serving((response, _, count) => {
    if (count === 1) return refuse(response, 401, { message: echo });
    if (count === 2) {
      response.writeHead(500, { 'content-type': 'text/plain' });
      return response.end(`${'x'.repeat(390)}${echo}`);
    }
    sse(response, [{ error: { message: echo } }]);
    return response.end();
  });
  for (const _ of [1, 2, 3]) {
    const error = await failureOf(server.provider);
    const all = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
    expect(all).not.toContain(testKey.slice(0, 12));
    expect(all).not.toContain('sk-other');
    expect(all).not.toContain(encoded.slice(0, 12));
  }
});

test('refusals in other forms than OpenAI keep their text', async () => {
  const server = await serving((response) => {
    response.writeHead(422, { 'content-type': 'application/json' });
    response.end('{"detail":[{"loc":["body","top_p"],"msg":"extra fields not permitted"}]}');
  });
  expect((await failureOf(server.provider)).message).toContain('extra fields not permitted');
});

test('the offline endpoint refuses a wrong key and an unknown model as OpenAI does', async () => {
  const endpoint = await startOfflineThread();
  try {
    const wrongKey = providerAt(endpoint.baseURL);
    expect((await failureOf(wrongKey, { model: 'aiq-offline' })).code).toBe('unauthorized');
    expect((await failureOf(endpoint.provider, { model: 'gpt-9' })).code).toBe('model_not_found');
  } finally {
    await endpoint.close();
  }
});
