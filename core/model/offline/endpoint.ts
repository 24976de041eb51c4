/**
 * The offline endpoint: a real HTTP server on loopback that speaks chat completions and answers with
 * extracts. It is never a stand-in for a provider that fails.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { handleChat } from './chat.ts';
import { errorBody } from './completion.ts';
import { type OfflineEndpoint, offlineAddress, offlineModel } from './contract.ts';
import { sendJson, sha256 } from './respond.ts';

const bodyBytesMax = 32 * 1024 * 1024;

/** Starts listening on a free port. */
export async function listenOffline(): Promise<OfflineEndpoint> {
  const apiKey = `aiq-offline-${randomBytes(18).toString('base64url')}`;
  const server = createServer((request, response) => {
    // A client that hangs up in the middle is no error of ours.
    response.on('error', () => {});
    route({ request, response, apiKey }).catch((error: unknown) => sendFailure(response, error));
  });
  // Longer than clients keep idle connections, so that none is closed just as it is used again.
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    ...offlineAddress(`http://127.0.0.1:${port}/v1`, apiKey),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly apiKey: string;
}

async function route({ request, response, apiKey }: Exchange): Promise<void> {
  const path = (request.url ?? '/').replace(/\?.*$/, '');
  const target = `${request.method} ${path}`;
  const body = await readBody(request);
  if (body === null) {
    return sendJson(
      response,
      413,
      errorBody(413, 'request_too_large', 'The request is over 32 MiB.'),
    );
  }
  if (!isAuthorized(request.headers.authorization, apiKey)) {
    const message = 'Incorrect API key provided.';
    return sendJson(response, 401, errorBody(401, 'invalid_api_key', message));
  }
  if (target === 'GET /v1/models') {
    const model = { id: offlineModel, object: 'model', created: 0, owned_by: 'aiq' };
    return sendJson(response, 200, { object: 'list', data: [model] });
  }
  if (target === 'POST /v1/chat/completions') {
    return handleChat(response, body);
  }
  const message = `Unknown request: ${target}. There are GET /v1/models and POST /v1/chat/completions.`;
  return sendJson(response, 404, errorBody(404, 'unknown_url', message));
}

/** Reads to the end in any case, as a refusal sent into a body on its way is often lost. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes <= bodyBytesMax ? Buffer.concat(chunks) : null;
}

function isAuthorized(header: string | undefined, apiKey: string): boolean {
  // Hashes have one length, which the comparison needs.
  const [given, wanted] = [header ?? '', `Bearer ${apiKey}`].map(sha256);
  return timingSafeEqual(Buffer.from(given ?? ''), Buffer.from(wanted ?? ' '));
}

function sendFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  sendJson(response, 500, errorBody(500, 'server_error', message));
}
