/**
 * Entry of the thread that runs the offline endpoint (`start.ts` starts it): an HTTP server on
 * loopback with one route, `POST /v1/chat/completions`. It never replaces a failing provider.
 */

import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { estimatedTokens, offlineModel } from '../model/index.ts';
import { answerTo, type ChatRequest, type OfflineAnswer } from './answer.ts';
import { FillError } from './fill-string.ts';
import type { ThreadReady } from './start.ts';

const bodyBytesMax = 32 * 1024 * 1024;

/** Other users of the machine can reach the port; only this process knows the key. */
const apiKey = `aiq-offline-${randomBytes(18).toString('base64url')}`;

/** An answer in OpenAI's form: a completion, or `{error}`. */
interface Reply {
  readonly status: number;
  readonly body: object;
}

const server = createServer((request, response) => {
  // A client that hangs up in the middle is no error of ours.
  response.on('error', () => {});
  reply(request).then(
    (answer) => send(response, answer),
    (error: unknown) => send(response, refusal(500, 'server_error', String(error))),
  );
});
// Longer than clients keep idle connections, so that none is closed just as it is used again.
server.keepAliveTimeout = 30_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  const ready: ThreadReady = { baseURL: `http://127.0.0.1:${port}/v1`, apiKey };
  parentPort?.postMessage(ready, []);
});

async function reply(request: IncomingMessage): Promise<Reply> {
  const body = await readBody(request);
  if (body === null) return refusal(413, 'request_too_large', 'The request is over 32 MiB.');
  if (!isAuthorized(request.headers.authorization)) {
    return refusal(401, 'invalid_api_key', 'Incorrect API key provided.');
  }
  if (`${request.method} ${request.url}` !== 'POST /v1/chat/completions') {
    return refusal(404, 'unknown_url', 'There is only POST /v1/chat/completions.');
  }
  return complete(body);
}

/** Reads to the end in any case: a refusal sent while the body still arrives is often lost. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes <= bodyBytesMax ? Buffer.concat(chunks) : null;
}

function isAuthorized(header = ''): boolean {
  // Hashes have one length, which the comparison needs.
  return timingSafeEqual(sha256(header), sha256(`Bearer ${apiKey}`));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function complete(body: Buffer): Reply {
  const chat = parsed(body);
  if (chat === null) return refusal(400, 'invalid_request', 'The body is no chat completion.');
  if (chat.model !== offlineModel) {
    const message = `The model "${chat.model}" does not exist here; there is ${offlineModel}.`;
    return refusal(404, 'model_not_found', message);
  }
  try {
    return { status: 200, body: completionOf(answerTo(chat), body.length) };
  } catch (error) {
    if (!(error instanceof FillError)) throw error;
    return refusal(400, 'unsupported_schema', `${offlineModel}: ${error.message}.`);
  }
}

function parsed(body: Buffer): (ChatRequest & { readonly model: string }) | null {
  try {
    const chat = JSON.parse(body.toString()) as Partial<ChatRequest & { model: string }> | null;
    if (typeof chat?.model !== 'string' || !Array.isArray(chat.messages)) return null;
    const messages: readonly unknown[] = chat.messages;
    const isWhole = messages.every((one) => typeof one === 'object' && one !== null);
    return isWhole && messages.length > 0 ? (chat as ChatRequest & { model: string }) : null;
  } catch {
    return null;
  }
}

/** Always whole: callers take a server that does not stream. Usage is marked as an estimate. */
function completionOf(answer: OfflineAnswer, promptBytes: number): object {
  const call = answer.kind === 'tool' ? { name: answer.name, arguments: answer.arguments } : null;
  const text = answer.kind === 'tool' ? answer.arguments : answer.text;
  const prompt = estimatedTokens(promptBytes);
  const completion = estimatedTokens(Buffer.byteLength(text));
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: offlineModel,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: call === null ? text : null,
          ...(call !== null && {
            tool_calls: [{ id: `call_${randomUUID()}`, type: 'function', function: call }],
          }),
        },
        finish_reason: call === null ? 'stop' : 'tool_calls',
        logprobs: null,
      },
    ],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      estimated: true,
    },
  };
}

function refusal(status: number, code: string, message: string): Reply {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  return { status, body: { error: { message, type, param: null, code } } };
}

function send(response: ServerResponse, { status, body }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
