/**
 * One POST over Node's own HTTP client, which takes half of the processor time of `fetch` and has no limit
 * of time of its own. Its global agents keep connections, and know the proxy where NODE_USE_ENV_PROXY is set.
 */

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createUnzip } from 'node:zlib';

export interface Post {
  readonly headers: Headers;
  readonly body: string;
  /** Aborted, it ends the request, or the answer that is on its way. */
  readonly signal: AbortSignal;
}

export interface PostAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readable;
  /** All of it arrived, so that its connection may serve the next request once the body is read. */
  isWhole(): boolean;
}

/**
 * Resolves once the headers of the answer are there.
 * @throws Error of the connection or the signal; `unexpected redirect`, because a key goes to no other address
 */
export async function postOverHttp(
  url: string,
  { headers, body, signal }: Post,
): Promise<PostAnswer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request } = url.startsWith('https:') ? https : http;
  const sent = { ...Object.fromEntries(headers), 'accept-encoding': 'identity' };
  const outgoing = request(url, { method: 'POST', headers: sent }, resolve);
  outgoing.on('error', reject).end(body);
  let received: IncomingMessage | null = null;
  const isWhole = (): boolean => received?.complete === true;
  // Not the option `signal`: it would destroy a connection that was given back a moment ago.
  const onAbort = (): void => {
    if (!isWhole()) outgoing.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const answer = await promise;
  received = answer;
  // Its reader gets it too; without a reader, and without this, it would end the process.
  answer.on('error', () => {});
  const { statusCode: status = 0, headersDistinct } = answer;
  if ([301, 302, 303, 307, 308].includes(status)) {
    answer.destroy();
    throw new Error('unexpected redirect');
  }
  return {
    status,
    headers: headersFrom(headersDistinct),
    body: decoded(answer),
    isWhole,
  };
}

function headersFrom(distinct: IncomingMessage['headersDistinct']): Headers {
  const pairs = Object.entries(distinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  return new Headers(pairs);
}

/** Some servers compress unasked. */
function decoded(answer: IncomingMessage): Readable {
  const encoding = answer.headers['content-encoding'] ?? 'identity';
  if (!/^(?:x-)?gzip$|^deflate$|^br$/i.test(encoding)) return answer;
  const decoder = encoding.toLowerCase() === 'br' ? createBrotliDecompress() : createUnzip();
  return pipeline(answer, decoder, () => {});
}
