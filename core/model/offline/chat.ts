/** Serves one chat completion of the offline endpoint: knobs, latency, then a fault or the answer. */

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerTo, type ChatRequest, type OfflineAnswer, userText } from './answer.ts';
import {
  type Completion,
  completionChunks,
  completionOf,
  errorBody,
  wholeCompletion,
} from './completion.ts';
import type { OfflineCall } from './contract.ts';
import type { Counters } from './counters.ts';
import { type Fault, faultFor, type RepeatCounter } from './faults.ts';
import { FillError } from './fill-string.ts';
import { type Knobs, parseKnobs } from './knobs.ts';
import { sendEvent, sendJson, sha256, startEvents } from './respond.ts';

export interface ChatContext {
  readonly counters: Counters;
  readonly repeats: RepeatCounter;
  readonly onCall: ((call: OfflineCall) => void) | undefined;
}

/** A request that passed the checks. */
interface CheckedRequest {
  readonly chat: ChatRequest & WireOptions;
  readonly knobs: Knobs;
}

interface WireOptions {
  readonly model: string;
  readonly stream?: unknown;
  readonly stream_options?: { readonly include_usage?: unknown } | null;
}

export async function handleChat(
  response: ServerResponse,
  body: Buffer,
  context: ChatContext,
): Promise<void> {
  const { counters, onCall } = context;
  counters.add('calls');
  const checked = check(body);
  if (!('knobs' in checked)) {
    counters.add('failed');
    return sendJson(
      response,
      checked.status,
      errorBody(checked.status, checked.code, checked.message),
    );
  }
  const { chat, knobs } = checked;
  const call = { model: chat.model, userSha256: sha256(userText(chat.messages)) };
  onCall?.({ ...call, phase: 'started', status: null, ok: false });
  const bodyHash = sha256(body);
  const fault = faultFor(knobs, bodyHash, context.repeats.next(bodyHash));
  if (knobs.latencyMs > 0) await latency(response, knobs.latencyMs);
  const end = response.destroyed
    ? lost
    : await respond(response, checked, { fault, promptBytes: body.length });
  // Told before the last byte goes out, so that whoever has the answer also finds it counted.
  counters.add(end.ok ? 'ok' : 'failed');
  onCall?.({ ...call, phase: 'finished', status: end.status, ok: end.ok });
  end.finish();
}

/** How a call ends: what is told about it, and the step that ends it. */
interface Ending {
  readonly status: number;
  readonly ok: boolean;
  finish(): void;
}

const lost: Ending = { status: 0, ok: false, finish: () => {} };

type Refusal = { readonly status: number; readonly code: string; readonly message: string };

function bad(message: string): Refusal {
  return { status: 400, code: 'invalid_request', message };
}

function check(body: Buffer): CheckedRequest | Refusal {
  let chat: Partial<ChatRequest & WireOptions> | null;
  try {
    chat = JSON.parse(body.toString()) as Partial<ChatRequest & WireOptions> | null;
  } catch (error) {
    return bad(`The body is not JSON: ${(error as Error).message}`);
  }
  if (typeof chat?.model !== 'string') return bad('"model" is missing.');
  const messages: unknown = chat.messages;
  const isList = Array.isArray(messages) && messages.length > 0;
  if (!isList || !messages.every((message) => typeof message === 'object' && message !== null)) {
    return bad('"messages" must be a list with at least one message.');
  }
  const parsed = parseKnobs(chat.model);
  if (parsed === null) {
    const message = `The model "${chat.model}" does not exist here; there is aiq-offline.`;
    return { status: 404, code: 'model_not_found', message };
  }
  if (!parsed.ok) return bad(`Model "${chat.model}": ${parsed.problem}.`);
  return { chat: chat as ChatRequest & WireOptions, knobs: parsed.knobs };
}

/** Ends early when the client is gone. */
async function latency(response: ServerResponse, latencyMs: number): Promise<void> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  response.once('close', onClose);
  await sleep(latencyMs, undefined, { signal: gone.signal }).catch(() => {});
  response.off('close', onClose);
}

async function respond(
  response: ServerResponse,
  { chat, knobs }: CheckedRequest,
  { fault, promptBytes }: { fault: Fault; promptBytes: number },
): Promise<Ending> {
  const early = earlyEnding(response, fault, knobs);
  if (early !== null) return early;
  let answer: OfflineAnswer;
  try {
    answer = answerTo(chat);
  } catch (error) {
    if (!(error instanceof FillError)) throw error;
    const message = `aiq-offline: ${error.message}.`;
    return jsonEnding(response, 400, errorBody(400, 'unsupported_schema', message));
  }
  const completion = completionOf(distorted(answer, knobs, fault), {
    model: chat.model,
    promptBytes,
    usage: knobs.usage,
    isCutByLength: fault.kind === 'length',
  });
  if (chat.stream === true) return sendStream(response, completion, { chat, fault });
  if (fault.kind === 'cut' || fault.kind === 'silent') return breakOff(response, fault);
  return jsonEnding(response, 200, wholeCompletion(completion));
}

/** The faults that need no answer; null for the others. */
function earlyEnding(response: ServerResponse, fault: Fault, knobs: Knobs): Ending | null {
  if (fault.kind === 'error') return faultyStatus(response, fault.status, knobs);
  if (fault.kind === 'html') {
    const page = '<!doctype html><title>Sign in</title><p>Sign in to use this network.';
    const finish = (): void => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(page);
    };
    return { status: 200, ok: false, finish };
  }
  if (fault.kind === 'reset') {
    return { ...lost, finish: () => response.socket?.resetAndDestroy() };
  }
  return null;
}

function faultyStatus(response: ServerResponse, status: number, knobs: Knobs): Ending {
  const waits = status === 429 || status === 503 ? knobs.retryAfterSeconds : null;
  const code = codes[status] ?? 'fault';
  const message = `aiq-offline was told to fail with ${status}.`;
  const headers: { [name: string]: string } =
    waits === null ? {} : { 'retry-after': String(waits) };
  return jsonEnding(response, status, errorBody(status, code, message), headers);
}

const codes: { readonly [status: number]: string } = {
  401: 'invalid_api_key',
  429: 'rate_limit_exceeded',
};

function jsonEnding(
  response: ServerResponse,
  status: number,
  body: object,
  headers: { readonly [name: string]: string } = {},
): Ending {
  const finish = (): void => sendJson(response, status, body, headers);
  return { status, ok: status === 200, finish };
}

/** Applies what changes the answer itself: padding, broken JSON, an end before its time. */
function distorted(answer: OfflineAnswer, knobs: Knobs, fault: Fault): OfflineAnswer {
  if (answer.kind === 'tool') return answer;
  const { kind } = answer;
  const text = padded(answer.text, knobs.longBytes);
  const half = text.slice(0, Math.ceil(text.length / 2));
  if (fault.kind === 'length') return { kind, text: half };
  // A text answer has no syntax to break, so only JSON shows this fault.
  if (fault.kind === 'badJson' && kind === 'json') return { kind, text: `${half}"},]` };
  return { kind, text };
}

function padded(text: string, bytes: number): string {
  const missing = bytes - Buffer.byteLength(text);
  if (missing <= 0) return text;
  return text + `\n${text}`.repeat(Math.ceil(missing / Buffer.byteLength(text)));
}

async function sendStream(
  response: ServerResponse,
  completion: Completion,
  { chat, fault }: { chat: WireOptions; fault: Fault },
): Promise<Ending> {
  startEvents(response);
  const chunks = [...completionChunks(completion, chat.stream_options?.include_usage === true)];
  const isBroken = fault.kind === 'cut' || fault.kind === 'silent';
  const sent = isBroken ? chunks.slice(0, Math.ceil(chunks.length / 2)) : chunks;
  for (const chunk of sent) {
    await sendEvent(response, chunk);
    if (response.destroyed) return { ...lost, status: 200 };
  }
  if (isBroken) return breakOff(response, fault);
  return { status: 200, ok: true, finish: () => response.end('data: [DONE]\n\n') };
}

/** `cut` closes as if all were well, as servers do that die; `silent` waits for the client to give up. */
async function breakOff(response: ServerResponse, fault: Fault): Promise<Ending> {
  if (fault.kind === 'silent') {
    response.flushHeaders();
    await new Promise((resolve) => response.once('close', resolve));
  }
  return { status: 200, ok: false, finish: () => response.end() };
}
