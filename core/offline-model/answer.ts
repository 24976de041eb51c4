/**
 * Answers a chat completion with extracts of the request's own text, labelled as such. Invents
 * nothing, calls no model, and answers the same request the same way.
 */

import { shapeOf } from './answer-shape.ts';
import { citedAnswer, wantsCitations } from './cite.ts';
import { extractSentences } from './extract.ts';
import { fillSchema, fillSource } from './fill-schema.ts';
import { offlineLabel } from './notice.ts';
import { filesFor, wantsFiles } from './write-files.ts';

/** The fields of a chat completion request that the answer depends on. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
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

interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
}

export type OfflineAnswer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'tool'; readonly name: string; readonly arguments: string };

/** @throws FillError when a schema asks for what cannot be made from the text */
export function answerTo(request: ChatRequest): OfflineAnswer {
  const { messages, tools, tool_choice, response_format: format } = request;
  const firstResult = messages.findIndex(({ role }) => role === 'tool');
  if (firstResult === -1) {
    const user = userText(messages);
    const tool = tool_choice === 'none' ? undefined : tools?.[0]?.function;
    if (tool !== undefined) return toolCall(tool, unlabelled(user));
    const material: Material = { user, source: textBlock(user), results: [], messages };
    if (format?.type === 'json_schema') return json(format.json_schema?.schema, material);
    return text(summary(material.source, systemText(messages)));
  }
  // What follows the tool calls only asks for the answer again.
  const user = userText(messages.slice(0, firstResult));
  const results = messages.flatMap(({ role, content }) =>
    role === 'tool' ? [textOf(content)] : [],
  );
  const material: Material = { user, source: results.map(proseOf).join('\n\n'), results, messages };
  if (format?.type === 'json_schema') return json(format.json_schema?.schema, material);
  return text(quotes(results, user));
}

interface Material {
  readonly user: string;
  /** The text that the answer is made of. */
  readonly source: string;
  /** What the tools returned. */
  readonly results: readonly string[];
  readonly messages: readonly ChatMessage[];
}

function text(body: string): OfflineAnswer {
  return { kind: 'text', text: `${body}\n\n${offlineLabel}` };
}

function json(schema: unknown, material: Material): OfflineAnswer {
  return { kind: 'json', text: JSON.stringify(valueOf(schema, material), null, 2) };
}

/** Known shapes (citations, files) by their meaning, others field by field. */
function valueOf(schema: unknown, { user, source, results, messages }: Material): unknown {
  if (wantsCitations(schema)) return citedAnswer(schema, unlabelled(user), results);
  if (wantsFiles(schema)) return filesFor(fillSource(unlabelled(user)), systemText(messages));
  return fillSchema(schema, fillSource(source));
}

/** Calls the tool with the question's words. */
function toolCall({ name, parameters }: ToolFunction, question: string): OfflineAnswer {
  const words = fillSource(question);
  const source = { ...words, sentences: [words.text] };
  const values = fillSchema(parameters ?? { type: 'object' }, source);
  return { kind: 'tool', name, arguments: JSON.stringify(values) };
}

/** Text of a message, given as a string or as parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown } | null) => textOf(part?.text ?? '')).join('\n');
}

function userText(messages: readonly ChatMessage[]): string {
  return textOf(messages.findLast(({ role }) => role === 'user')?.content);
}

function systemText(messages: readonly ChatMessage[]): string {
  const system = messages.filter(({ role }) => role === 'system' || role === 'developer');
  return system.map(({ content }) => textOf(content)).join('\n');
}

/** Without a label such as `Question:` in front. */
function unlabelled(message: string): string {
  return message.replace(/^\s*\w{1,20}:\s*/, '');
}

/** The text between `<text>` tags, which may have a fence code; without tags the whole message. */
function textBlock(message: string): string {
  const open = /<text(-[0-9a-z]+)?>/.exec(message);
  if (open === null) return message;
  const begin = open.index + open[0].length;
  const close = message.lastIndexOf(`</text${open[1] ?? ''}>`);
  return close > begin ? message.slice(begin, close) : message;
}

function summary(source: string, instructions: string): string {
  const { form, itemsMax, wordsMax } = shapeOf(instructions);
  const sentences = extractSentences(source, { sentencesMax: itemsMax, wordsMax });
  if (sentences.length === 0) return 'The text holds no sentence to extract.';
  if (form === 'paragraph') return sentences.join(' ');
  return sentences.map((sentence) => `- ${sentence}`).join('\n');
}

const bareLinesMax = 40;
const bareLineMax = 400;

/** The best sentences of what the tools returned; a result without sentences is shown as it is. */
function quotes(results: readonly string[], question: string): string {
  const extracted = (texts: readonly string[]): string[] =>
    extractSentences(texts.map(proseOf).join('\n\n'), { sentencesMax: 4, wordsMax: 200 }, question);
  const bare = results.filter((result) => extracted([result]).length === 0).flatMap(linesOf);
  const more = bare.length - bareLinesMax;
  const lines = [
    ...extracted(results),
    ...bare.slice(0, bareLinesMax).map(cut),
    ...(more > 0 ? [`… and ${more} more lines`] : []),
  ];
  if (lines.length === 0) return 'The tools returned nothing.';
  return lines.map((line) => `> ${line}`).join('\n>\n');
}

function cut(line: string): string {
  return line.length > bareLineMax ? `${line.slice(0, bareLineMax)}…` : line;
}

/** A number, a time, an object: as the tool returned it, a JSON string without its quotation marks. */
function linesOf(result: string): string[] {
  const value = parsed(result);
  const shown = typeof value === 'string' ? value : result;
  return shown.split('\n').filter((line) => line.trim() !== '');
}

/** A tool returns prose, or JSON whose strings are prose. */
function proseOf(result: string): string {
  const value = parsed(result);
  return value === undefined ? result : stringsIn(value).join('\n\n');
}

function parsed(result: string): unknown {
  try {
    return JSON.parse(result);
  } catch {
    return undefined;
  }
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsIn);
}
