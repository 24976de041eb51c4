/** The gate before the requests of a call: what is asked, and what it is notified of. */

import { createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { toModelError } from '../../../core/model/failures/failures.ts';
import {
  type CallGate,
  callEndOf,
  createCaller,
  ModelError,
  type RequestBody,
} from '../../../core/model/index.ts';
import { delta, goodAnswer, modelCall, providerAt, refuse, serving, sse } from './fake-server.ts';

/** Lets everything through, and notes it. */
function notingGate() {
  const bodies: RequestBody[] = [];
  const ends: string[] = [];
  const gate: CallGate = {
    open: async (body) => void bodies.push(body),
    heard: () => {},
    failed: (error) => void ends.push(`${error.code} ${callEndOf(error)}`),
  };
  return { gate, bodies, ends };
}

const { signal } = new AbortController();

test('each way in which a request is put passes it, and those that were refused are named', async () => {
  const { provider, requests } = await serving((response, { body }) =>
    'max_completion_tokens' in body
      ? refuse(response, 400, { message: 'use max_tokens', param: 'max_completion_tokens' })
      : goodAnswer(response),
  );
  const caller = await createCaller(provider);
  const { gate, bodies, ends } = notingGate();
  await caller.call(modelCall({ options: { maxOutputTokens: 9 } }), signal, gate);
  expect(bodies.map((body) => [body.max_completion_tokens, body.max_tokens])).toEqual([
    [9, undefined],
    [undefined, 9],
  ]);
  expect(ends).toEqual(['bad_request unsent']);
  expect(requests).toHaveLength(2);
});

test('it hears what the server says of its limits, with answers and with refusals', async () => {
  const said = { 'x-ratelimit-limit-tokens': '100', 'x-ratelimit-remaining-tokens': '40' };
  const { provider } = await serving((response, { body }) => {
    for (const [name, value] of Object.entries(said)) response.setHeader(name, value);
    response.setHeader('x-ratelimit-reset-tokens', '6s');
    if (body['model'] === 'refused') refuse(response, 429, { message: 'slow down' });
    else goodAnswer(response);
  });
  const caller = await createCaller(provider);
  const heard: unknown[] = [];
  const gate: CallGate = {
    open: async () => {},
    heard: (allowances) => void heard.push(allowances),
    failed: () => {},
  };
  await caller.call(modelCall(), signal, gate);
  await expect(caller.call(modelCall({ model: 'refused' }), signal, gate)).rejects.toThrow();
  const allowance = { kind: 'tokens', limit: 100, left: 40, fullInMs: 6_000 };
  expect(heard).toEqual([[allowance], [allowance]]);
});

test('nothing is sent when it stays shut, and what it throws is thrown', async () => {
  const { provider, requests } = await serving((response) => goodAnswer(response));
  const caller = await createCaller(provider);
  const shut: CallGate = {
    open: () => Promise.reject(new Error('no money')),
    heard: () => {},
    failed: () => expect.unreachable(),
  };
  await expect(caller.call(modelCall(), signal, shut)).rejects.toThrow('no money');
  expect(requests).toHaveLength(0);
});

test('what was stopped while it waited was not sent, also behind a request that was refused', async () => {
  const stop = new AbortController();
  const { provider, requests } = await serving((response) =>
    refuse(response, 400, { message: 'no', param: 'max_completion_tokens' }),
  );
  const caller = await createCaller(provider);
  const { gate, bodies, ends } = notingGate();
  const stopping: CallGate = {
    open: async (body) => {
      await gate.open(body);
      if (bodies.length === 2) stop.abort();
    },
    heard: () => {},
    failed: (error) => gate.failed(error),
  };
  const request = modelCall({ options: { maxOutputTokens: 9 } });
  await expect(caller.call(request, stop.signal, stopping)).rejects.toThrow(ModelError);
  expect(ends).toEqual(['bad_request unsent', 'aborted unsent']);
  expect(requests).toHaveLength(1);
});

const ends: readonly [string, Parameters<typeof serving>[0], string][] = [
  [
    'a server error',
    (response) => refuse(response, 500, { message: 'no' }),
    'server_error unknown',
  ],
  ['a rate limit', (response) => refuse(response, 429, { message: 'no' }), 'rate_limited unsent'],
  ['a connection that breaks', (response) => response.destroy(), 'connection_failed unknown'],
  [
    'a stream that is cut',
    (response) => {
      sse(response, [delta({ content: 'Hi' })]);
      response.end();
    },
    'stream_cut unknown',
  ],
  [
    'an empty answer with its usage',
    (response) => goodAnswer(response, ''),
    'empty_answer settled',
  ],
];

test.each(ends)('%s is as it is billed', async (_, answer, end) => {
  const { provider } = await serving(answer);
  const caller = await createCaller(provider);
  const noted = notingGate();
  await expect(caller.call(modelCall(), signal, noted.gate)).rejects.toThrow(ModelError);
  expect(noted.ends).toEqual([end]);
});

test('where no connection is made nothing was sent', async () => {
  const plain = createServer();
  const port = await new Promise<number>((resolve) => {
    plain.listen(0, '127.0.0.1', () => resolve(portOf(plain)));
  });
  await new Promise((resolve) => plain.close(resolve));
  const caller = await createCaller(providerAt(`http://127.0.0.1:${port}/v1`));
  const noted = notingGate();
  await expect(caller.call(modelCall(), signal, noted.gate)).rejects.toThrow(ModelError);
  expect(noted.ends).toEqual(['connection_failed unsent']);
});

test.each([
  [{ code: 'ENOTFOUND', syscall: 'getaddrinfo' }, false],
  [{ code: 'ETIMEDOUT', syscall: 'connect' }, false],
  [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, false],
  [{ code: 'ECONNRESET', syscall: 'read' }, true],
  [{ code: 'EPIPE', syscall: 'write' }, true],
])('a connection that fails with %o was sent something: %s', (fields, isSent) => {
  const cause = Object.assign(new Error('it failed'), fields);
  const error = new Error('Connection error.', { cause });
  expect(toModelError(providerAt('http://127.0.0.1:1/v1'), error).isSent).toBe(isSent);
});

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
