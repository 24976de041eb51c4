/** Small helpers of the offline endpoint's HTTP side. */

import { createHash } from 'node:crypto';
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
  await drainedOrClosed(response);
}

/** Takes both listeners back: a long answer waits here thousands of times. */
function drainedOrClosed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
