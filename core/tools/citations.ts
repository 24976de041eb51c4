/**
 * Verifies citations: each quote of an answer must appear in the file that it names, word for word. Other
 * quotes are dropped, and an answer without any becomes "not found".
 */

import type { Agent, JsonObject } from '../agent/index.ts';
import type { KnowledgeBase } from './knowledge/base.ts';
import { type LeftOut, leftOutText } from './knowledge/left-out.ts';

/** A citation whose quote is the file's own text. */
interface Citation {
  readonly path: string;
  readonly quote: string;
  /** Line of the quote's beginning, from 1. */
  readonly line: number;
}

export interface CheckedCitations {
  /** The answer with what could be verified, and nothing else. */
  readonly output: JsonObject;
  /** What could not, as written to the model when it is asked again; empty when all could. */
  readonly problems: readonly string[];
}

interface CitingAnswer extends JsonObject {
  readonly found: boolean;
  readonly answer: string;
  readonly citations: readonly { readonly path: string; readonly quote: string }[];
}

/** Shorter quotes are found in nearly every file. */
const quoteCharsMin = 8;
const quoteCharsMax = 4_000;

/**
 * Whether the agent's answers are held to the rule: its answer has `found`, `answer` and `citations`
 * of `path` and `quote`, and it has files to cite.
 */
export function citesKnowledge(agent: Agent): boolean {
  const { output, knowledge } = agent;
  const types = { found: 'boolean', answer: 'string', citations: 'array' };
  const properties = childOf(output.schema, 'properties');
  const hasAll = Object.entries(types).every(
    ([name, type]) => childOf(properties, name)?.['type'] === type,
  );
  const item = citationProperties(agent) ?? {};
  return knowledge.length > 0 && hasAll && 'path' in item && 'quote' in item;
}

function citationProperties({ output }: Agent): JsonObject | null {
  const citations = childOf(childOf(output.schema, 'properties'), 'citations');
  return childOf(childOf(citations, 'items'), 'properties');
}

function childOf(node: JsonObject | null, name: string): JsonObject | null {
  const child = node?.[name];
  return typeof child === 'object' && child !== null ? (child as JsonObject) : null;
}

/** What citations are checked against. */
export interface Evidence {
  readonly knowledge: KnowledgeBase;
  /** The searches, for an answer that found nothing. */
  readonly queries: readonly string[];
  /** Files that should have been searched and were not. */
  readonly leftOut?: readonly LeftOut[];
}

/** @param answer as the model gave it; null comes back for one that is left to the schema */
export async function checkCitations(
  answer: unknown,
  agent: Agent,
  evidence: Evidence,
): Promise<CheckedCitations | null> {
  if (!isCiting(answer)) return null;
  const { knowledge } = evidence;
  if (!answer.found) return { output: notFound(answer, evidence, agent), problems: [] };
  const checked = await Promise.all(
    answer.citations.map((citation) => located(citation, knowledge)),
  );
  const kept = checked.filter((one) => typeof one !== 'string');
  const problems = checked.filter((one) => typeof one === 'string');
  if (kept.length === 0) {
    const problem = 'no citation supports the answer; quote the files, or set found to false';
    return { output: notFound(answer, evidence, agent), problems: [...problems, problem] };
  }
  const numbers = checked.map((one) => (typeof one === 'string' ? 0 : kept.indexOf(one) + 1));
  const renumberedText = renumbered(answer.answer, numbers);
  const citations = kept.map(({ line, ...citation }) =>
    'line' in (citationProperties(agent) ?? {}) ? { ...citation, line } : citation,
  );
  const text = withNotSearched(renumberedText, evidence, agent);
  return { output: { ...answer, answer: text, citations }, problems };
}

function isCiting(answer: unknown): answer is CitingAnswer {
  if (typeof answer !== 'object' || answer === null) return false;
  const { found, answer: text, citations } = answer as Partial<CitingAnswer>;
  return (
    typeof found === 'boolean' &&
    typeof text === 'string' &&
    Array.isArray(citations) &&
    (citations as (Partial<Citation> | null)[]).every(
      (one) => typeof one?.path === 'string' && typeof one.quote === 'string',
    )
  );
}

/** The citation with its line and the file's own text, or the problem with it. */
async function located(
  { path, quote }: CitingAnswer['citations'][number],
  knowledge: KnowledgeBase,
): Promise<Citation | string> {
  const shown = JSON.stringify(quote.length > 120 ? `${quote.slice(0, 120)}…` : quote);
  const words = quote
    .normalize('NFC')
    .split(/\s+/)
    .filter((word) => word !== '');
  const chars = words.join('').length;
  if (chars < quoteCharsMin || chars > quoteCharsMax) {
    return `the quote ${shown} must have ${quoteCharsMin} to ${quoteCharsMax} characters`;
  }
  const name = path.replace(/^\.\//, '');
  const text = await knowledge.read(name);
  if (text === null) return `"${path}" is none of the files that were searched`;
  // White space may differ, as lines are wrapped; every other character counts.
  const match = findComposed(text, new RegExp(words.map(literal).join('\\s+'), 'u'));
  if (match === null) return `the quote ${shown} does not appear in ${name}`;
  const line = text.slice(0, match.start).split('\n').length;
  return { path: name, quote: match.text, line };
}

/** References to citations under their new numbers; what has no citation says so. */
function renumbered(answer: string, numbers: readonly number[]): string {
  return answer.replace(/\[(\d{1,3})\]/g, (_, digits: string) => {
    const number = numbers[Number(digits) - 1] ?? 0;
    return number === 0 ? '[not verified]' : `[${number}]`;
  });
}

/** Names the files that were not searched, where the answer has room for that. */
function withNotSearched(text: string, { leftOut = [] }: Evidence, agent: Agent): string {
  if (leftOut.length === 0) return text;
  const extended = `${text}\n\nNot searched: ${leftOutText(leftOut)}.`;
  const { maxLength } = childOf(childOf(agent.output.schema, 'properties'), 'answer') ?? {};
  return typeof maxLength === 'number' && extended.length > maxLength ? text : extended;
}

function notFound(answer: CitingAnswer, evidence: Evidence, agent: Agent): JsonObject {
  const { queries } = evidence;
  const tried = queries.map((query) => `"${query}"`).join(', ');
  const text = `Not found in the files searched.${tried === '' ? '' : ` Searched for: ${tried}.`}`;
  return { ...answer, found: false, answer: withNotSearched(text, evidence, agent), citations: [] };
}

/** Text as a part of a regular expression that matches itself and nothing else. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

interface Found {
  /** Offset in the text itself. */
  readonly start: number;
  /** The text's own characters. */
  readonly text: string;
}

/** A sign with all that may be composed with it: accents, and the parts of a Korean syllable. */
const sign = /(?:\P{M}|^)[\p{M}\u1161-\u1175\u11A8-\u11C2]*/gu;

/** @param pattern of composed characters */
/**
 * The first match in the text as if its accented letters were composed (Unicode NFC): the same words are
 * written in either form.
 */
function findComposed(text: string, pattern: RegExp): Found | null {
  const composed = text.normalize('NFC');
  const match = pattern.exec(composed);
  if (match === null) return null;
  const { 0: words, index } = match;
  if (composed === text) return { start: index, text: words };
  const start = offsetIn(text, index);
  const end = start + offsetIn(text.slice(start), words.length);
  return { start, text: text.slice(start, end) };
}

/** The offset in the text for an offset in the composed text. */
function offsetIn(text: string, composedOffset: number): number {
  let passed = 0;
  for (const { 0: part, index } of text.matchAll(sign)) {
    if (passed >= composedOffset) return index;
    passed += part.normalize('NFC').length;
  }
  return text.length;
}
