/** The wire shapes of a chat completion: whole, as stream chunks, and as errors. */

import { randomUUID } from 'node:crypto';
import { estimatedTokens } from '../wire-usage.ts';
import type { OfflineAnswer } from './answer.ts';
import { offlineModel } from './contract.ts';

export interface Completion {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly answer: OfflineAnswer;
  readonly finishReason: string;
  readonly usage: object;
}

export function completionOf(answer: OfflineAnswer, promptBytes: number): Completion {
  const outputBytes = Buffer.byteLength(answer.kind === 'tool' ? answer.arguments : answer.text);
  const prompt = estimatedTokens(promptBytes);
  const completion = estimatedTokens(outputBytes);
  return {
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: offlineModel,
    answer,
    finishReason: answer.kind === 'tool' ? 'tool_calls' : 'stop',
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      estimated: true,
    },
  };
}

/** The body of an answer that is not streamed. */
export function wholeCompletion(completion: Completion): object {
  const { answer, finishReason: finish_reason, usage } = completion;
  const message =
    answer.kind === 'tool'
      ? { role: 'assistant', content: null, tool_calls: [toolCall(answer)] }
      : { role: 'assistant', content: answer.text };
  return {
    ...head(completion, 'chat.completion'),
    choices: [{ index: 0, message, finish_reason, logprobs: null }],
    usage,
  };
}

/** Text goes out in pieces of this many characters at least: fine enough to watch, few enough to be cheap. */
const pieceChars = 80;

/** The chunks of a stream, in order; the last content chunk is followed by the finish reason. */
export function* completionChunks(
  completion: Completion,
  includeUsage: boolean,
): Generator<object> {
  const { answer, finishReason, usage } = completion;
  const chunk = (delta: object, finish_reason: string | null = null): object => ({
    ...head(completion, 'chat.completion.chunk'),
    choices: [{ index: 0, delta, finish_reason, logprobs: null }],
  });
  yield chunk({ role: 'assistant', content: answer.kind === 'tool' ? null : '' });
  if (answer.kind === 'tool') {
    const call = toolCall(answer);
    yield chunk({
      tool_calls: [{ index: 0, ...call, function: { ...call.function, arguments: '' } }],
    });
    for (const piece of pieces(answer.arguments)) {
      yield chunk({ tool_calls: [{ index: 0, function: { arguments: piece } }] });
    }
  } else {
    for (const piece of pieces(answer.text)) yield chunk({ content: piece });
  }
  yield chunk({}, finishReason);
  if (includeUsage) {
    yield { ...head(completion, 'chat.completion.chunk'), choices: [], usage };
  }
}

/** An error in OpenAI's form. */
export function errorBody(status: number, code: string, message: string): object {
  const type =
    status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error';
  return { error: { message, type, param: null, code } };
}

function head(completion: Completion, object: string): object {
  const { id, created, model } = completion;
  return { id, object, created, model };
}

function toolCall(answer: OfflineAnswer & { kind: 'tool' }): {
  id: string;
  type: string;
  function: { name: string; arguments: string };
} {
  const { name, arguments: args } = answer;
  return { id: `call_${randomUUID()}`, type: 'function', function: { name, arguments: args } };
}

/** Few pieces for an everyday answer, and never so many that a long one drowns in framing. */
function* pieces(text: string): Generator<string> {
  const size = Math.max(pieceChars, Math.ceil(text.length / 1000));
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    // A surrogate pair stays together: half of one cannot be encoded.
    if (/[\uD800-\uDBFF]/.test(text[end - 1] ?? '')) end += 1;
    yield text.slice(start, end);
    start = end;
  }
}
