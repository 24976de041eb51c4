/**
 * A ModelCall as the body of a chat completion, and the ways to say the same to servers that refuse
 * a newer parameter. Pure: sends nothing.
 */

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

/** Another way to put a request, for a server that refused it by naming one of its parameters. */
export interface Fallback {
  readonly name: string;
  /** What the refusal mentions. */
  readonly refusal: RegExp;
  /** The other body; null when this one does not use the parameter. */
  rewrite(body: RequestBody): RequestBody | null;
}

/** Tried in this order, one for each refusal. */
export const fallbacks: readonly Fallback[] = [
  {
    name: 'max_tokens',
    refusal: /max_completion_tokens/i,
    rewrite: ({ max_completion_tokens, ...rest }) =>
      max_completion_tokens === undefined ? null : { ...rest, max_tokens: max_completion_tokens },
  },
  {
    name: 'no_usage',
    refusal: /stream_options|include_usage/i,
    rewrite: ({ stream_options, ...rest }) => (stream_options === undefined ? null : rest),
  },
  {
    name: 'loose_schema',
    refusal: /response_format|json_schema|strict/i,
    rewrite: (body) => {
      const format = body.response_format;
      if (format?.type !== 'json_schema' || format.json_schema.strict !== true) return null;
      const json_schema = { ...format.json_schema, strict: false };
      return { ...body, response_format: { type: 'json_schema', json_schema } };
    },
  },
  {
    name: 'json_object',
    refusal: /response_format|json_schema/i,
    rewrite: (body) => {
      const format = body.response_format;
      if (format?.type !== 'json_schema') return null;
      const messages = [...body.messages, inWords(format.json_schema.schema)];
      return { ...body, messages, response_format: { type: 'json_object' } };
    },
  },
  {
    // Some servers hold an answer to a schema, and some call tools, but not in one request.
    name: 'tools_alone',
    refusal: /response_format|json_schema|json_object|grammar|mime ?type/i,
    rewrite: ({ response_format: format, ...rest }) => {
      if (format === undefined || (rest.tools ?? []).length === 0) return null;
      if (format.type !== 'json_schema') return rest;
      return { ...rest, messages: [...rest.messages, inWords(format.json_schema.schema)] };
    },
  },
];

function inWords(schema: unknown): { role: 'system'; content: string } {
  const text = JSON.stringify(schema);
  return {
    role: 'system',
    content: `Answer with one JSON object that fits this JSON Schema: ${text}`,
  };
}
