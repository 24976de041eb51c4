/**
 * What the offline model answers: extracts of what it was given, labelled as such. It makes nothing
 * up, calls no model, and says the same to the same request.
 */

import { citedAnswer, wantsCitations } from './cite.ts';
import { offlineLabel } from './contract.ts';
import { extractSentences } from './extract.ts';
import { fillSchema, fillSource } from './fill-schema.ts';
import { shapeOf } from './limits.ts';
import { filesFor, wantsFiles } from './write-files.ts';

/** The part of a chat completion request that the answer depends on; other fields are ignored. */
export interface ChatRequest {
  readonly messages: readonly ChatRequestMessage[];
  readonly tools?: readonly { readonly function: ToolFunction }[];
  readonly tool_choice?: unknown;
  readonly response_format?: {
    readonly type?: string;
    readonly json_schema?: { readonly schema?: unknown };
  };
}

interface ToolFunction {
  readonly name: string;
  readonly parameters?: unknown;
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
  const results = toolResults(messages);
  const user = results === null ? userText(messages) : questionText(messages);
  const tool = results === null ? offeredTool(request) : null;
  if (tool !== null) return toolCall(tool, unlabelled(user));
  const prose = results?.map(proseOf).join('\n\n') ?? null;
  const source = prose ?? textBlock(user);
  const format = request.response_format;
  if (format?.type === 'json_schema') {
    const filled = { schema: format.json_schema?.schema, user, source, results, messages };
    return { kind: 'json', text: JSON.stringify(jsonAnswer(filled), null, 2) };
  }
  if (format?.type === 'json_object') {
    return { kind: 'json', text: JSON.stringify({ text: fillSource(source).sentences.join(' ') }) };
  }
  const text = results === null ? summary(source, messages) : quotes(results, user);
  return { kind: 'text', text: `${text}\n\n${offlineLabel}` };
}

function offeredTool({ tools, tool_choice }: ChatRequest): ToolFunction | null {
  return tool_choice === 'none' ? null : (tools?.[0]?.function ?? null);
}

/** Calls the tool with the question's words. */
function toolCall({ name, parameters }: ToolFunction, question: string): OfflineAnswer {
  const words = fillSource(question);
  const source = { ...words, sentences: [words.text] };
  const values = fillSchema(parameters ?? { type: 'object' }, source);
  return { kind: 'tool', name, arguments: JSON.stringify(values) };
}

interface Filling {
  readonly schema: unknown;
  readonly user: string;
  /** The text that the answer is made of. */
  readonly source: string;
  readonly results: readonly string[] | null;
  readonly messages: readonly ChatRequestMessage[];
}

/** Shapes that mean something are answered by what they mean, others are filled. */
function jsonAnswer({ schema, user, source, results, messages }: Filling): unknown {
  if (wantsCitations(schema)) return citedAnswer(schema, unlabelled(user), results ?? []);
  if (wantsFiles(schema)) return filesFor(fillSource(unlabelled(user)), systemText(messages));
  return fillSchema(schema, fillSource(source));
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

/** The user message that the first tool was called for; what came after it only asks for an answer. */
function questionText(messages: readonly ChatRequestMessage[]): string {
  return userText(
    messages.slice(
      0,
      messages.findIndex(({ role }) => role === 'tool'),
    ),
  );
}

/** Without a label like `Question:` in front. */
function unlabelled(text: string): string {
  return text.replace(/^\s*\w{1,20}:\s*/, '');
}

function systemText(messages: readonly ChatRequestMessage[]): string {
  const system = messages.filter(({ role }) => role === 'system' || role === 'developer');
  return system.map(({ content }) => contentText(content)).join('\n');
}

function summary(source: string, messages: readonly ChatRequestMessage[]): string {
  const shape = shapeOf(systemText(messages));
  const sentences = extractSentences(source, {
    sentencesMax: shape.itemsMax,
    wordsMax: shape.wordsMax,
  });
  if (sentences.length === 0) return 'The text holds no sentence to extract.';
  if (shape.form === 'paragraph') return sentences.join(' ');
  return sentences.map((sentence) => `- ${sentence}`).join('\n');
}

/** The best sentences of what the tools returned; what holds no sentence is shown as it is. */
function quotes(results: readonly string[], question: string): string {
  const extracted = (texts: readonly string[]): string[] =>
    extractSentences(texts.map(proseOf).join('\n\n'), { sentencesMax: 4, wordsMax: 200 }, question);
  const bare = results.filter((result) => extracted([result]).length === 0).flatMap(linesOf);
  const sentences = extracted(results).map((sentence) => `> ${sentence}`);
  const shown = bare.slice(0, bareLinesMax).map((line) => `> ${cut(line)}`);
  const more = bare.length - shown.length;
  const quoted = [...sentences, ...shown, ...(more > 0 ? [`> … and ${more} more lines`] : [])];
  return quoted.length === 0 ? 'The tools returned nothing.' : quoted.join('\n>\n');
}

const bareLinesMax = 40;
const bareLineMax = 400;

/** A number, a time, a word, an object: as the tool gave it, text without its quotation marks. */
function linesOf(result: string): string[] {
  let text = result;
  try {
    const value: unknown = JSON.parse(result);
    if (typeof value === 'string') text = value;
  } catch {
    // It is no JSON, so it is shown as it came.
  }
  return text.split('\n').filter((line) => line.trim() !== '');
}

function cut(line: string): string {
  return line.length > bareLineMax ? `${line.slice(0, bareLineMax)}…` : line;
}

/** What stands between text tags, which may have a code, is the text; without them, the whole message is. */
function textBlock(message: string): string {
  const open = /<text(-[0-9a-z]+)?>/.exec(message);
  if (open === null) return message;
  const begin = open.index + open[0].length;
  const close = message.lastIndexOf(`</text${open[1] ?? ''}>`);
  return close > begin ? message.slice(begin, close) : message;
}

/** What the tools returned; null when none was called. */
function toolResults(messages: readonly ChatRequestMessage[]): string[] | null {
  const results = messages.filter(({ role }) => role === 'tool');
  return results.length === 0 ? null : results.map(({ content }) => contentText(content));
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
