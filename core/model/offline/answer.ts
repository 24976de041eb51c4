/**
 * What the offline model answers: extracts of what it was given, labelled as such. It makes nothing
 * up, calls no model, and says the same to the same request.
 */

import { offlineLabel } from './contract.ts';
import { extractSentences } from './extract.ts';
import { fillSchema, fillSource } from './fill-schema.ts';
import { shapeOf } from './limits.ts';

/** The part of a chat completion request that the answer depends on; other fields are ignored. */
export interface ChatRequest {
  readonly messages: readonly ChatRequestMessage[];
  readonly tools?: readonly {
    readonly function: { readonly name: string; readonly parameters?: unknown };
  }[];
  readonly tool_choice?: unknown;
  readonly response_format?: {
    readonly type?: string;
    readonly json_schema?: { readonly schema?: unknown };
  };
}

export interface ChatRequestMessage {
  readonly role: string;
  readonly content?: unknown;
}

export type OfflineAnswer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'tool'; readonly name: string; readonly arguments: string };

/** @throws FillError when a schema asks for what cannot be made from the text */
export function answerTo(request: ChatRequest): OfflineAnswer {
  const { messages } = request;
  const user = userText(messages);
  const tool = request.tool_choice === 'none' ? undefined : request.tools?.[0];
  const results = toolResults(messages);
  if (tool !== undefined && results === null) {
    const words = fillSource(user.replace(/^\s*\w{1,20}:\s*/, ''));
    const source = { ...words, sentences: [words.text] };
    const parameters = fillSchema(tool.function.parameters ?? { type: 'object' }, source);
    return { kind: 'tool', name: tool.function.name, arguments: JSON.stringify(parameters) };
  }
  const source = results ?? textBlock(user);
  const format = request.response_format;
  if (format?.type === 'json_schema') {
    const value = fillSchema(format.json_schema?.schema, fillSource(source));
    return { kind: 'json', text: JSON.stringify(value, null, 2) };
  }
  if (format?.type === 'json_object') {
    return { kind: 'json', text: JSON.stringify({ text: fillSource(source).sentences.join(' ') }) };
  }
  const text = results === null ? summary(source, messages) : quotes(results, user);
  return { kind: 'text', text: `${text}\n\n${offlineLabel}` };
}

/** Text of a message, given as a string or as parts. */
export function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown } | null) => contentText(part?.text ?? '')).join('\n');
}

/** The latest user message. */
export function userText(messages: readonly ChatRequestMessage[]): string {
  return contentText(messages.findLast((message) => message.role === 'user')?.content);
}

function summary(source: string, messages: readonly ChatRequestMessage[]): string {
  const system = messages.filter(({ role }) => role === 'system' || role === 'developer');
  const shape = shapeOf(system.map(({ content }) => contentText(content)).join('\n'));
  const sentences = extractSentences(source, {
    sentencesMax: shape.itemsMax,
    wordsMax: shape.wordsMax,
  });
  if (sentences.length === 0) return 'The text holds no sentence to extract.';
  if (shape.form === 'paragraph') return sentences.join(' ');
  return sentences.map((sentence) => `- ${sentence}`).join('\n');
}

function quotes(results: string, question: string): string {
  const sentences = extractSentences(results, { sentencesMax: 4, wordsMax: 200 }, question);
  if (sentences.length === 0) return 'The tools returned nothing to quote.';
  return sentences.map((sentence) => `> ${sentence}`).join('\n>\n');
}

/** What stands between text tags is the text; without them, the whole message is. */
function textBlock(message: string): string {
  const open = message.indexOf('<text>');
  const close = message.lastIndexOf('</text>');
  return open !== -1 && close > open ? message.slice(open + '<text>'.length, close) : message;
}

/** Results of the tools called since the latest user message; null when none was. */
function toolResults(messages: readonly ChatRequestMessage[]): string | null {
  const since = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1);
  const results = since.filter(({ role }) => role === 'tool');
  if (results.length === 0) return null;
  return results.map(({ content }) => proseOf(contentText(content))).join('\n\n');
}

/** A tool answers with prose, or with JSON whose strings are prose. */
function proseOf(result: string): string {
  try {
    return strings(JSON.parse(result)).join('\n\n');
  } catch {
    return result;
  }
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(strings);
}
