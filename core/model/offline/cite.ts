/**
 * Answers a question from what a search tool returned: sentences of the passages, word for word, with
 * their files. Finds nothing when no passage speaks of what was asked.
 */

import { offlineNotice } from './contract.ts';
import { fillSchema } from './fill-schema.ts';
import type { FillSource, Schema } from './fill-string.ts';
import { sentencesOf, stem, stopWords, wordsOf } from './sentences.ts';

/** A passage as a search tool returns it. */
interface Passage {
  readonly path: string;
  /** `12` or `12-18`. */
  readonly lines: string;
  readonly text: string;
  /** Whether its first, or last, sentence is only a part of one. */
  readonly cutAtStart?: boolean;
  readonly cutAtEnd?: boolean;
}

interface Quote {
  readonly path: string;
  readonly quote: string;
  readonly line: number;
  readonly score: number;
}

const quotesMax = 4;
/** Longer sentences are lists that lost their shape. */
const quoteWordsMax = 80;
/** Share of the question's words that a passage must have to speak of the same thing. */
const shareMin = 0.5;
/** The same for a sentence, so that it is worth quoting. */
const sentenceShareMin = 0.3;
/** A row of a table reads worse than a sentence that says the same. */
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
  const quotes = bestQuotes(results.flatMap(passagesIn), termsOf(question));
  const found = quotes.length > 0;
  const answer = found
    ? [
        'The passages that fit the question best:',
        ...quotes.map(({ quote }, index) => `${asProse(quote)} [${index + 1}]`),
        `(${offlineNotice})`,
      ].join('\n\n')
    : 'Nothing in the passages speaks of this.';
  const citations = quotes.map(({ path, quote, line }) => ({ path, quote, line }));
  // Whatever else the schema has is filled as usual.
  const source: FillSource = { text: question, sentences: [answer], keywords: [] };
  const filled = fillSchema(schema, source) as object;
  const asked = memberOf(memberOf(memberOf(schema, 'properties'), 'citations'), 'items');
  const names = Object.keys(memberOf(asked, 'properties') ?? {});
  const shaped = citations.map((citation) =>
    Object.fromEntries(Object.entries(citation).filter(([name]) => names.includes(name))),
  );
  return { ...filled, found, answer, citations: shaped };
}

/** On one line; a number in brackets would read as a mark of the answer. */
function asProse(quote: string): string {
  return quote.replace(/\s+/g, ' ').replace(/\[(\d+)\]/g, '($1)');
}

/** The passages in a result of `search_files`, or in anything of that shape. */
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
  return new Set(wordsOf(text).map(stem).filter(isTerm));
}

function isTerm(word: string): boolean {
  return word.length > 1 && !stopWords.has(word) && !askingWords.has(word);
}

function bestQuotes(passages: readonly Passage[], asked: ReadonlySet<string>): Quote[] {
  if (asked.size === 0) return [];
  const needed = Math.max(Math.min(2, asked.size), Math.ceil(asked.size * shareMin));
  const fitting = passages.filter(({ text }) => shared(termsOf(text), asked) >= needed);
  const quotes = fitting.flatMap((passage, rank) => quotesFrom(passage, asked, rank));
  const best = quotes.toSorted((a, b) => b.score - a.score);
  const seen = new Set<string>();
  const distinct = best.filter(({ quote }) => !seen.has(quote) && seen.add(quote));
  return distinct.slice(0, quotesMax);
}

/** Sentences of the passage that share words with the question; its order breaks ties. */
function quotesFrom(passage: Passage, asked: ReadonlySet<string>, rank: number): Quote[] {
  const { path, lines, text } = passage;
  const first = Number.parseInt(lines, 10) || 1;
  return wholeSentences(passage).flatMap(({ quote, at, words }) => {
    if (/^#|-{3}/.test(quote) || words < 4 || words > quoteWordsMax) return [];
    const share = shared(termsOf(quote), asked) / asked.size;
    if (share < sentenceShareMin) return [];
    const line = first + (text.slice(0, at).match(/\n/g)?.length ?? 0);
    const loss = quote.includes('|') ? tableRowLoss : 0;
    return [{ path, quote, line, score: share - loss - rank * 0.01 }];
  });
}

/** Without those of which the passage has only a part. */
function wholeSentences({ text, cutAtStart, cutAtEnd }: Passage): VerbatimSentence[] {
  const sentences = verbatimSentences(text);
  return sentences.slice(cutAtStart === true ? 1 : 0, cutAtEnd === true ? -1 : undefined);
}

interface VerbatimSentence {
  readonly quote: string;
  /** Its offset in the text. */
  readonly at: number;
  readonly words: number;
}

/** A paragraph, an item of a list, a row of a table: what a sentence does not go beyond. */
const paragraph = /\S(?:[^\n]|\n(?!\s*(?:\n|[-*+|#>]|\d{1,3}[.)]\s)))*/g;

/** Sentences as they stand in the text, wrapped lines included. */
function verbatimSentences(text: string): VerbatimSentence[] {
  return [...text.matchAll(paragraph)].flatMap(({ 0: wrapped, index }) => {
    // An end of a line ends no sentence. One sign for one, so that places stay what they are.
    const flat = wrapped.replace(/\s/g, ' ');
    let from = 0;
    return sentencesOf([flat]).flatMap((sentence) => {
      const start = flat.indexOf(sentence.text, from);
      if (start === -1) return [];
      from = start + sentence.text.length;
      const { words } = sentence;
      return [{ quote: wrapped.slice(start, from), at: index + start, words }];
    });
  });
}

function shared(terms: ReadonlySet<string>, asked: ReadonlySet<string>): number {
  let count = 0;
  for (const term of asked) if (terms.has(term)) count += 1;
  return count;
}
