/** The smallest model server there is: the same answer to every call, whole, after a time. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Provider } from '../../core/model/index.ts';

export interface ModelServer {
  readonly provider: Provider;
  /** Answers that were begun. */
  calls(): number;
  close(): void;
}

export async function serveModel(latencyMs = 0): Promise<ModelServer> {
  let calls = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for await (const _ of request);
    if (latencyMs > 0) await sleep(latencyMs);
    calls += 1;
    const message = { role: 'assistant', content: 'Yes.' };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    const usage = { prompt_tokens: 10, completion_tokens: 2 };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ model, choices, usage }));
  };
  const server = createServer((request, response) => void answer(request, response));
  // Longer than clients keep idle connections.
  server.keepAliveTimeout = 30_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const baseURL = `http://127.0.0.1:${port}/v1`;
  return {
    provider: { name: model, kind: 'compatible', baseURL, apiKey: 'none', defaultModel: model },
    calls: () => calls,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const model = 'tiny';
