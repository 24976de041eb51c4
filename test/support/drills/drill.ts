/** Answers as the offline model does, but late, changed or broken as the model id asks. */

import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OfflineEndpoint } from '../../../core/offline-model/index.ts';
import { refuse, type SeenRequest, sse } from '../../integration/model/fake-server.ts';
import { type DrillFault, faultFor, RepeatCounter } from './dice.ts';
import { type Knobs, parseKnobs } from './knobs.ts';

/** The part of a completion that drills change. */
interface Completion {
  readonly choices: [{ message: Message; finish_reason: string }];
  usage?: object;
}

interface Message {
  content: string | null;
  readonly tool_calls?: readonly object[];
}

export type Drill = (response: ServerResponse, seen: SeenRequest) => Promise<void>;

/** @param endpoint makes the answers */
export function createDrill(endpoint: OfflineEndpoint): Drill {
  const repeats = new RepeatCounter();
  return async (response, { body }) => {
    const parsed = parseKnobs(String(body['model']));
    if (parsed?.ok !== true) {
      const problem = parsed?.problem ?? 'there is no such drill';
      const model = String(body['model']);
      return refuse(response, 400, { message: `Model "${model}": ${problem}.` });
    }
    const { knobs } = parsed;
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const fault = faultFor(knobs, hash, repeats.next(hash));
    await latency(response, knobs.latencyMs);
    if (response.destroyed || isRefused(response, knobs, fault)) return;
    const answer = await answerOf(endpoint, body);
    if (!answer.ok) {
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(await answer.text());
      return;
    }
    const completion = (await answer.json()) as Completion;
    distort(completion, { knobs, fault, isJson: body['response_format'] !== undefined });
    send(response, completion, { body, fault });
  };
}

/** Ends early when the client is gone. */
async function latency(response: ServerResponse, latencyMs: number): Promise<void> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  response.once('close', onClose);
  await sleep(latencyMs, undefined, { signal: gone.signal }).catch(() => {});
  response.off('close', onClose);
}

const codes: { readonly [status: number]: string } = {
  401: 'invalid_api_key',
  429: 'rate_limit_exceeded',
};

/** The faults that need no answer. */
function isRefused(response: ServerResponse, knobs: Knobs, fault: DrillFault): boolean {
  if (fault.kind === 'error') {
    const { status } = fault;
    const waits = status === 429 || status === 503 ? knobs.retryAfterSeconds : null;
    const error = { message: `told to fail with ${status}.`, code: codes[status] ?? 'fault' };
    refuse(response, status, error, waits === null ? {} : { 'retry-after': String(waits) });
  } else if (fault.kind === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Sign in</title><p>Sign in to use this network.');
  } else if (fault.kind === 'reset') {
    response.socket?.resetAndDestroy();
  } else {
    return false;
  }
  return true;
}

function answerOf(
  { baseURL, apiKey }: OfflineEndpoint,
  body: SeenRequest['body'],
): Promise<Response> {
  return fetch(`${baseURL}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ ...body, model: 'aiq-offline' }),
  });
}

/** Applies what changes the answer itself: padding, broken JSON, an end before its time. */
function distort(
  completion: Completion,
  { knobs, fault, isJson }: { knobs: Knobs; fault: DrillFault; isJson: boolean },
): void {
  if (!knobs.usage) delete completion.usage;
  const [choice] = completion.choices;
  const { message } = choice;
  if (message.content === null) return;
  message.content = padded(message.content, knobs.longBytes);
  const half = message.content.slice(0, Math.ceil(message.content.length / 2));
  if (fault.kind === 'length') {
    message.content = half;
    choice.finish_reason = 'length';
  }
  // A text answer has no syntax to break, so only JSON shows this fault.
  if (fault.kind === 'badJson' && isJson) message.content = `${half}"},]`;
}

function padded(text: string, bytes: number): string {
  const missing = bytes - Buffer.byteLength(text);
  if (missing <= 0) return text;
  return text + `\n${text}`.repeat(Math.ceil(missing / Buffer.byteLength(text)));
}

function send(
  response: ServerResponse,
  completion: Completion,
  { body, fault }: { body: SeenRequest['body']; fault: DrillFault },
): void {
  const isBroken = fault.kind === 'cut' || fault.kind === 'silent';
  if (body['stream'] !== true) {
    response.writeHead(200, { 'content-type': 'application/json' });
    if (!isBroken) response.end(JSON.stringify(completion));
  } else {
    const events = eventsOf(completion, body['stream_options'] !== undefined);
    sse(response, isBroken ? events.slice(0, Math.ceil(events.length / 2)) : events);
    if (!isBroken) response.end();
  }
  // A cut closes as if all were well, as servers do that die; silence waits for the client to give up.
  if (fault.kind === 'cut') response.end();
  if (fault.kind === 'silent') response.flushHeaders();
}

/** Text goes out in pieces of this many characters at least. */
const pieceChars = 80;

function eventsOf({ choices: [choice], usage }: Completion, includeUsage: boolean): unknown[] {
  const { message, finish_reason } = choice;
  const chunk = (delta: object, finish: string | null = null): object => ({
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const { content, tool_calls = [] } = message;
  const size = Math.max(pieceChars, Math.ceil((content?.length ?? 0) / 1000));
  const pieces = content?.match(new RegExp(`[^]{1,${size}}`, 'gu')) ?? [];
  return [
    chunk({ role: 'assistant' }),
    ...pieces.map((piece) => chunk({ content: piece })),
    ...tool_calls.map((call, index) => chunk({ tool_calls: [{ index, ...call }] })),
    chunk({}, finish_reason),
    ...(includeUsage && usage !== undefined ? [{ choices: [], usage }] : []),
    '[DONE]',
  ];
}
