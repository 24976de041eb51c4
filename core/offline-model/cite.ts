/**
 * Answers a question from what a search tool returned: sentences of the passages with their files.
 * Finds nothing when no passage is about what was asked.
 */

import { fillSchema } from './fill-schema.ts';
import type { Schema } from './fill-string.ts';
import { offlineNotice } from './notice.ts';
import { sentencesOf, sharedCount, stem, stopWords, wordsOf } from './sentences.ts';

/** A passage as `search_files` returns it. */
interface Passage {
  readonly path: string;
  /** `12` or `12-18`. */
  readonly lines: string;
  readonly text: string;
  /** Whether its first, or last, sentence is only a part of one. */
  readonly cutAtStart?: boolean;
  readonly cutAtEnd?: boolean;
}

interface Citation {
  readonly path: string;
  /** White space apart, the file's own words. */
  readonly quote: string;
  /** Where its passage begins; the check of citations puts it right. */
  readonly line: number;
}

const quotesMax = 4;
/** Longer sentences are lists that lost their shape. */
const quoteWordsMax = 80;
/** Share of the question's terms that a passage, and a sentence of it, must have. */
const passageShareMin = 0.5;
const sentenceShareMin = 0.3;
/** Rows of a table read worse than sentences. */
const tableRowLoss = 0.25;

/** Whether a schema asks for an answer with citations, as agents that search have it. */
export function wantsCitations(schema: unknown): schema is Schema {
  const properties = memberOf(schema, 'properties');
  const item = memberOf(memberOf(memberOf(properties, 'citations'), 'items'), 'properties');
  const hasAll = ['found', 'answer', 'citations'].every((name) => memberOf(properties, name));
  return hasAll && memberOf(item, 'path') !== null && memberOf(item, 'quote') !== null;
}

function memberOf(value: unknown, name: string): Schema | null {
  const member = typeof value === 'object' && value !== null ? (value as Schema)[name] : null;
  return typeof member === 'object' && member !== null ? (member as Schema) : null;
}

/** @param results the tools' results, as text */
export function citedAnswer(schema: Schema, question: string, results: readonly string[]): object {
  const citations = bestCitations(results.flatMap(passagesIn), termsOf(question));
  const found = citations.length > 0;
  const quotes = citations.map(({ quote }, index) => `${withoutMarks(quote)} [${index + 1}]`);
  const intro = 'The passages that fit the question best:';
  const answer = found
    ? [intro, ...quotes, `(${offlineNotice})`].join('\n\n')
    : 'Nothing in the passages speaks of this.';
  // Whatever else the schema has is filled as usual.
  const filled = fillSchema(schema, { text: question, sentences: [answer], keywords: [] });
  const item = memberOf(memberOf(memberOf(schema, 'properties'), 'citations'), 'items');
  const names = Object.keys(memberOf(item, 'properties') ?? {});
  const shaped = citations.map((citation) =>
    Object.fromEntries(Object.entries(citation).filter(([name]) => names.includes(name))),
  );
  return { ...(filled as object), found, answer, citations: shaped };
}

/** A number in brackets would read as a mark of the answer. */
function withoutMarks(quote: string): string {
  return quote.replace(/\[(\d+)\]/g, '($1)');
}

/** The passages in a tool's result; none when it has another shape. */
function passagesIn(result: string): Passage[] {
  try {
    const { passages } = JSON.parse(result) as { passages?: Partial<Passage>[] };
    return (passages ?? []).filter(
      (one): one is Passage => typeof one.path === 'string' && typeof one.text === 'string',
    );
  } catch {
    return [];
  }
}

/** Words that a question is asked with, not what it is about. */
const askingWords = new Set(
  'mean meant means happen work works kind called define explain'.split(' '),
);

function termsOf(text: string): Set<string> {
  const terms = wordsOf(text).map(stem);
  return new Set(
    terms.filter((term) => term.length > 1 && !stopWords.has(term) && !askingWords.has(term)),
  );
}

function bestCitations(passages: readonly Passage[], asked: ReadonlySet<string>): Citation[] {
  if (asked.size === 0) return [];
  const needed = Math.max(Math.min(2, asked.size), Math.ceil(asked.size * passageShareMin));
  const fitting = passages.filter(({ text }) => sharedCount(termsOf(text), asked) >= needed);
  const scored = fitting.flatMap((passage, rank) => quotesFrom(passage, asked, rank));
  const best = scored.toSorted((a, b) => b.score - a.score).map(({ citation }) => citation);
  const seen = new Set<string>();
  return best.filter(({ quote }) => !seen.has(quote) && seen.add(quote)).slice(0, quotesMax);
}

interface Scored {
  readonly citation: Citation;
  readonly score: number;
}

/** Whole sentences that share terms with the question; the order of the passages breaks ties. */
function quotesFrom(passage: Passage, asked: ReadonlySet<string>, rank: number): Scored[] {
  const { path, lines, text, cutAtStart, cutAtEnd } = passage;
  const paragraphs = (text.match(paragraph) ?? []).map((wrapped) => wrapped.replace(/\s/g, ' '));
  const whole = sentencesOf(paragraphs).slice(
    cutAtStart === true ? 1 : 0,
    cutAtEnd === true ? -1 : undefined,
  );
  return whole.flatMap(({ text: quote, words }) => {
    if (/^#|-{3}/.test(quote) || words < 4 || words > quoteWordsMax) return [];
    const share = sharedCount(termsOf(quote), asked) / asked.size;
    if (share < sentenceShareMin) return [];
    const loss = quote.includes('|') ? tableRowLoss : 0;
    const line = Number.parseInt(lines, 10) || 1;
    return [{ citation: { path, quote, line }, score: share - loss - rank * 0.01 }];
  });
}

/** A paragraph, an item of a list or a row of a table: what a sentence does not go beyond. */
const paragraph = /\S(?:[^\n]|\n(?!\s*(?:\n|[-*+|#>]|\d{1,3}[.)]\s)))*/g;
