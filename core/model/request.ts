/** A ModelCall as the body of a chat completion. Pure: sends nothing. */

import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import type { Message, ModelCall } from './model.ts';

export type RequestBody = ChatCompletionCreateParamsStreaming;

type JsonSchema = { readonly [key: string]: unknown };

export function requestBody(call: ModelCall): RequestBody {
  const { options } = call;
  const body: { [key: string]: unknown } = {
    temperature: options.temperature,
    top_p: options.topP,
    max_completion_tokens: options.maxOutputTokens,
    seed: options.seed,
    stop: options.stopSequences,
    frequency_penalty: options.frequencyPenalty,
    presence_penalty: options.presencePenalty,
    reasoning_effort: options.reasoningEffort,
    verbosity: options.verbosity,
    ...options.extra,
    model: call.model,
    messages: call.messages.map(wireMessage),
    stream: true,
    stream_options: { include_usage: true },
  };
  if (call.tools !== undefined && call.tools.length > 0) {
    body['tools'] = call.tools.map((tool) => ({ type: 'function', function: tool }));
    if (call.toolChoice !== undefined) body['tool_choice'] = call.toolChoice;
  }
  if (call.responseSchema !== undefined) {
    const { name, schema } = call.responseSchema;
    body['response_format'] = {
      type: 'json_schema',
      json_schema: { name: schemaName(name), schema, strict: fitsStrictMode(schema) },
    };
  }
  return body as unknown as RequestBody;
}

function wireMessage(message: Message): object {
  const { role, content, toolCalls, toolCallId } = message;
  if (role === 'tool') return { role, content, tool_call_id: toolCallId };
  if (toolCalls === undefined || toolCalls.length === 0) return { role, content };
  return {
    role,
    content,
    tool_calls: toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.arguments },
    })),
  };
}

/** The API allows 64 characters of a small alphabet. */
function schemaName(name: string): string {
  return name.replace(/[^\w-]/g, '_').slice(0, 64) || 'answer';
}

/** Strict mode wants every object closed and every property required, all the way down. */
function fitsStrictMode(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(fitsStrictMode);
  if (typeof schema !== 'object' || schema === null) return true;
  const { type, properties, required, additionalProperties } = schema as JsonSchema;
  if (type === 'object') {
    const names = Object.keys((properties as object | undefined) ?? {});
    const listed = new Set(Array.isArray(required) ? required : []);
    if (additionalProperties !== false || !names.every((name) => listed.has(name))) return false;
  }
  return Object.values(schema).every(fitsStrictMode);
}
