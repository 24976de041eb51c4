/** Servers that are no model endpoint, those that only look so for a moment, and keys that nobody can send. */

import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { createCaller } from '../../../core/model/index.ts';
import { failureOf, goodAnswer, modelCall, refuse, serving, testKey } from './fake-server.ts';

function signInPage(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end('<html><body>Sign in</body></html>');
}

test('an HTML page is no answer; from a server that answered before it is a bad moment', async () => {
  const server = await serving((response, _, count) =>
    count === 4 ? goodAnswer(response) : signInPage(response),
  );
  const caller = await createCaller(server.provider);
  const { signal } = new AbortController();
  await expect(caller.call(modelCall(), signal)).rejects.toMatchObject({
    failure: 'misconfigured',
    code: 'not_a_model_endpoint',
  });
  expect(server.requests).toHaveLength(3);
  await caller.call(modelCall(), signal);
  await expect(caller.call(modelCall(), signal)).rejects.toMatchObject({ failure: 'unavailable' });
});

test('one odd page of a proxy in front of a good endpoint is only asked again', async () => {
  const server = await serving((response, _, count) =>
    count === 1 ? signInPage(response) : goodAnswer(response),
  );
  const caller = await createCaller(server.provider);
  const answer = await caller.call(modelCall(), new AbortController().signal);
  expect(answer.text).toBe('Hi.');
  expect(server.requests).toHaveLength(2);
});

test('an abort while a page is asked for again ends the call as aborted', async () => {
  const abort = new AbortController();
  const server = await serving((response) => {
    signInPage(response);
    setTimeout(() => abort.abort(), 50);
  });
  expect(await failureOf(server.provider, {}, abort)).toMatchObject({ failure: 'aborted' });
  expect(server.requests).toHaveLength(1);
});

test('a 404 page without an error object means the address, not the model', async () => {
  const server = await serving((response) => {
    response.writeHead(404, { 'content-type': 'text/html' });
    response.end('<title>Not Found</title>');
  });
  const error = await failureOf(server.provider);
  expect(error).toMatchObject({ failure: 'misconfigured', code: 'not_a_model_endpoint' });
  expect(error.message).toContain('/v1');
  expect(error.message).not.toContain('<');
});

test.each([
  ['JSON of another kind', 'application/json', '{"hello":1}'],
  ['broken JSON', 'application/json', '{"hello'],
  ['plain text', 'text/plain', 'welcome'],
])('%s with status 200 is no model endpoint', async (_, type, body) => {
  const server = await serving((response) => {
    response.writeHead(200, { 'content-type': type });
    response.end(body);
  });
  expect((await failureOf(server.provider)).code).toBe('not_a_model_endpoint');
});

test.each([
  ['an empty stream', 'text/event-stream', ''],
  ['a stream of comments', 'text/event-stream', ': keep-alive\n\n'],
  ['an empty body', 'application/json', ''],
  ['an empty body', 'text/plain', ''],
])('%s (%s) with status 200 is a bad moment from the first answer on', async (_, type, body) => {
  const server = await serving((response) => {
    response.writeHead(200, { 'content-type': type });
    response.end(body);
  });
  expect(await failureOf(server.provider)).toMatchObject({
    failure: 'unavailable',
    code: 'stream_cut',
  });
  expect(server.requests).toHaveLength(1);
});

test('a failure names the whole base URL, and no key that stands in it', async () => {
  const server = await serving((response) => refuse(response, 404, null));
  const at = `${server.provider.baseURL}gateway/`;
  const error = await failureOf({ ...server.provider, baseURL: at });
  expect(error.message).toContain(`(${at.replace(/\/$/, '')})`);
  const keyed = await failureOf({ ...server.provider, baseURL: `${at}${testKey}/v1` });
  expect(keyed.message).toContain('/gateway/[key]/v1');
  expect(keyed.message).not.toContain(testKey);
});

test('a key that no header can carry needs a person, and says so', async () => {
  const server = await serving((response) => goodAnswer(response));
  for (const apiKey of [
    'sk-ключ',
    '“sk-1”',
    'sk\u200b-1',
    'sk-se\ncret',
    'sk-se\rcret',
    'sk\0-1',
  ]) {
    const key = await failureOf({ ...server.provider, apiKey });
    expect(key).toMatchObject({ failure: 'misconfigured', code: 'key_malformed' });
    expect(key.message).not.toMatch(/ключ|cret|sk/);
  }
  expect(server.requests).toHaveLength(0);
});
