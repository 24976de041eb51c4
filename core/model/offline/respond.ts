/** Small helpers of the offline endpoint's HTTP side. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: { readonly [name: string]: string } = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Opens an event stream. */
export function startEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
}

/** Writes one event and waits while the client reads more slowly than we write. */
export async function sendEvent(response: ServerResponse, data: object | string): Promise<void> {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  if (response.write(`data: ${text}\n\n`) || response.destroyed) return;
  await Promise.race([once(response, 'drain'), once(response, 'close')]);
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
