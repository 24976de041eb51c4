/** A loopback server whose answers a test writes itself, and the calls that go to it. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createCaller,
  type ModelAnswer,
  type ModelCall,
  ModelError,
  type Provider,
} from '../../../core/model/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import { testMs } from '../../support/patience.ts';

export const testKey = 'sk-canary-0123456789abcdef';

export interface SeenRequest {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: { readonly [key: string]: unknown };
}

export interface FakeServer {
  readonly provider: Provider;
  readonly requests: SeenRequest[];
  close(): Promise<void>;
}

export type Answer = (response: ServerResponse, seen: SeenRequest, count: number) => unknown;

export async function fakeServer(answer: Answer): Promise<FakeServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
      const seen = {
        url: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(text || '{}') as SeenRequest['body'],
      };
      requests.push(seen);
      await answer(response, seen, requests.length);
    })();
  });
  // Longer than clients keep idle connections, so that none is closed just as it is used again.
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    provider: providerAt(`http://127.0.0.1:${port}/v1/`),
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A server that is closed with the test. */
export async function serving(answer: Answer): Promise<FakeServer> {
  const server = await fakeServer(answer);
  closeAfterTest(server);
  return server;
}

export function providerAt(baseURL: string): Provider {
  return { name: 'test', kind: 'compatible', baseURL, apiKey: testKey, defaultModel: 'm' };
}

export function modelCall(changes: Partial<ModelCall> = {}): ModelCall {
  return {
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello there.' },
    ],
    options: {},
    timeoutMs: testMs,
    idleMs: testMs,
    answerBytesMax: 100_000,
    ...changes,
  };
}

export function sse(response: ServerResponse, events: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) {
    response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  }
}

/** A chunk with nothing but the delta: not even the role. */
export function delta(fields: object, finish_reason: string | null = null): object {
  return { choices: [{ index: 0, delta: fields, finish_reason }] };
}

export const usageChunk = { choices: [], usage: { prompt_tokens: 11, completion_tokens: 7 } };

export function goodAnswer(response: ServerResponse, text = 'Hi.'): void {
  sse(response, [delta({ content: text }), delta({}, 'stop'), usageChunk, '[DONE]']);
  response.end();
}

export function refuse(
  response: ServerResponse,
  status: number,
  error: unknown,
  headers: { [name: string]: string } = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error }));
}

/** Makes one call that has to fail, and returns how. */
export async function failureOf(
  provider: Provider,
  changes: Partial<ModelCall> = {},
  abort: AbortController = new AbortController(),
): Promise<ModelError> {
  const caller = await createCaller(provider);
  try {
    await caller.call(modelCall(changes), abort.signal);
  } catch (error) {
    if (error instanceof ModelError) return error;
    throw error;
  }
  throw new Error('The call succeeded.');
}

export const millText =
  'The mill was built on the river in 1820. It burned down in the winter of 1901. ' +
  'The owners rebuilt the mill of brick in 1903. The mill shut for good in 1950.';

/** Asks for a summary of the mill, or of another subject. */
export function summarize(model: string, subject = millText): ModelCall {
  return modelCall({
    model,
    messages: [
      { role: 'system', content: 'Answer with at most 2 bullets, each one sentence.' },
      { role: 'user', content: `<text>\n${subject}\n</text>` },
    ],
  });
}

export async function call(provider: Provider, request: ModelCall): Promise<ModelAnswer> {
  const caller = await createCaller(provider);
  return caller.call(request, new AbortController().signal);
}
