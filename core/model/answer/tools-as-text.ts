/**
 * Tools for models without tool calling: described in the prompt, called by a JSON answer, with earlier
 * calls and results as text.
 */

import type { ToolCall } from '../model.ts';
import type { RequestBody } from '../request.ts';
import { findJson } from './find-json.ts';

type WireMessages = RequestBody['messages'];

/** The request without tools; null when it has none. */
export function toolsAsText(body: RequestBody): RequestBody | null {
  const { tools, tool_choice: choice, parallel_tool_calls: _, ...rest } = body;
  if (tools === undefined) return null;
  const messages = rest.messages.map(asText);
  if (choice === 'none') return { ...rest, messages };
  const described = tools.map((tool) => JSON.stringify('function' in tool ? tool.function : tool));
  const note =
    'You can use tools. To call some, answer with nothing but JSON of this form: ' +
    '{"tool_calls":[{"name":"<tool>","arguments":{…}}]}. Their results come in the next message. ' +
    `Once you need no more, give your answer as asked for. The tools:\n${described.join('\n')}`;
  return { ...rest, messages: withNote(messages, note) };
}

/** The calls in an answer to such a request; empty for an answer of its own. */
export function callsInText(text: string): ToolCall[] {
  if (!text.includes('"tool_calls"')) return [];
  const { texts, isCut } = findJson(text);
  const [only, ...more] = texts.map((found) => JSON.parse(found) as unknown);
  const { tool_calls: calls } = (only ?? {}) as { readonly tool_calls?: unknown };
  if (isCut || more.length > 0 || !Array.isArray(calls)) return [];
  return calls.flatMap((call: { name?: unknown; arguments?: unknown } | null, index) => {
    if (typeof call?.name !== 'string') return [];
    const { name, arguments: args = {} } = call;
    const written = typeof args === 'string' ? args : JSON.stringify(args);
    return [{ id: `call_${index}`, name, arguments: written }];
  });
}

function asText(message: WireMessages[number]): WireMessages[number] {
  if (message.role === 'tool') {
    return {
      role: 'user',
      content: `Result of ${message.tool_call_id}:\n${contentOf(message)}`,
    };
  }
  if (message.role !== 'assistant' || message.tool_calls === undefined) return message;
  const tool_calls = message.tool_calls.map((call) =>
    call.type === 'function'
      ? { id: call.id, name: call.function.name, arguments: call.function.arguments }
      : call,
  );
  return { role: 'assistant', content: JSON.stringify({ tool_calls }) };
}

/** Appends a note to the system message, or to the latest user message when there is none. */
export function withNote(messages: WireMessages, note: string): WireMessages {
  const system = messages.findIndex(({ role }) => role === 'system');
  const at = system === -1 ? messages.findLastIndex(({ role }) => role === 'user') : system;
  return messages.map((message, index) =>
    index === at ? { ...message, content: `${contentOf(message)}\n\n${note}` } : message,
  );
}

/** Ours are texts, always. */
export function contentOf({ content }: WireMessages[number]): string {
  return typeof content === 'string' ? content : '';
}
