/** Serves one chat completion of the offline endpoint. */

import type { ServerResponse } from 'node:http';
import { answerTo, type ChatRequest, type OfflineAnswer } from './answer.ts';
import { completionChunks, completionOf, errorBody, wholeCompletion } from './completion.ts';
import { offlineModel } from './contract.ts';
import { FillError } from './fill-string.ts';
import { sendEvent, sendJson, startEvents } from './respond.ts';

type WireRequest = ChatRequest & {
  readonly model: string;
  readonly stream?: unknown;
  readonly stream_options?: { readonly include_usage?: unknown } | null;
};

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export async function handleChat(response: ServerResponse, body: Buffer): Promise<void> {
  const chat = check(body);
  if (!('messages' in chat)) return refuse(response, chat);
  let answer: OfflineAnswer;
  try {
    answer = answerTo(chat);
  } catch (error) {
    if (!(error instanceof FillError)) throw error;
    const message = `${offlineModel}: ${error.message}.`;
    return refuse(response, { status: 400, code: 'unsupported_schema', message });
  }
  const completion = completionOf(answer, body.length);
  if (chat.stream !== true) return sendJson(response, 200, wholeCompletion(completion));
  startEvents(response);
  for (const chunk of completionChunks(completion, chat.stream_options?.include_usage === true)) {
    await sendEvent(response, chunk);
    if (response.destroyed) return;
  }
  response.end('data: [DONE]\n\n');
}

function check(body: Buffer): WireRequest | Refusal {
  let chat: Partial<WireRequest> | null;
  try {
    chat = JSON.parse(body.toString()) as Partial<WireRequest> | null;
  } catch (error) {
    return bad(`The body is not JSON: ${(error as Error).message}`);
  }
  if (typeof chat?.model !== 'string') return bad('"model" is missing.');
  const messages: unknown = chat.messages;
  const isList = Array.isArray(messages) && messages.length > 0;
  if (!isList || !messages.every((message) => typeof message === 'object' && message !== null)) {
    return bad('"messages" must be a list with at least one message.');
  }
  if (chat.model !== offlineModel) {
    const message = `The model "${chat.model}" does not exist here; there is ${offlineModel}.`;
    return { status: 404, code: 'model_not_found', message };
  }
  return chat as WireRequest;
}

function bad(message: string): Refusal {
  return { status: 400, code: 'invalid_request', message };
}

function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  sendJson(response, status, errorBody(status, code, message));
}
