/**
 * Extractive summary: whole sentences of a text, verbatim and in its order, picked by the frequency
 * of their terms and their position, without repeats and from all over the document.
 */

import { cleanParagraphs } from './paragraphs.ts';
import { type Sentence, sentencesOf, sharedCount, stem, wordsOf } from './sentences.ts';

export interface ExtractLimits {
  readonly sentencesMax: number;
  readonly wordsMax: number;
}

interface Candidate {
  readonly sentence: Sentence;
  readonly terms: ReadonlySet<string>;
  readonly score: number;
}

/** Sentences shorter or longer than this rarely make sense alone. */
const wordsLow = 8;
const wordsHigh = 38;

/** From this many sentences on, short and weak ones are left out. */
const sentencesLong = 20;

/** What each earlier pick from the same part of the document leaves of a score. */
const samePartFactor = 0.45;

/** The best sentences of `source`. Words of `about` raise the score of sentences that hold them. */
export function extractSentences(source: string, limits: ExtractLimits, about = ''): string[] {
  const sentences = sentencesOf(cleanParagraphs(source));
  const candidates = scored(sentences, new Set(wordsOf(about).map(stem)));
  const best = candidates.reduce((most, { score }) => Math.max(most, score), 0);
  const scoreMin = sentences.length > sentencesLong ? best * 0.3 : 0;
  const picked = pick(
    candidates.filter(({ score }) => score >= scoreMin),
    sentences.length,
    limits,
  );
  if (picked.length === 0) return firstWords(sentences, limits.wordsMax);
  return picked.toSorted((a, b) => a.index - b.index).map(({ text }) => text);
}

/** When no sentence is short enough: the beginning of the shortest, marked as cut. */
function firstWords(sentences: readonly Sentence[], wordsMax: number): string[] {
  const shortest = sentences.toSorted((a, b) => a.words - b.words)[0];
  if (shortest === undefined || wordsMax < 1) return [];
  const words = shortest.text.split(' ');
  return [words.length <= wordsMax ? shortest.text : `${words.slice(0, wordsMax).join(' ')}…`];
}

function scored(sentences: readonly Sentence[], about: ReadonlySet<string>): Candidate[] {
  const weights = termWeights(sentences);
  const wordsMin = sentences.length > sentencesLong ? wordsLow : 3;
  const whole = sentences.filter(({ text, words }) => words >= wordsMin && isWhole(text));
  return whole.map((sentence) => {
    const terms = new Set(sentence.terms);
    // Never zero: a text without repeated terms has an order all the same.
    let weight = 0.1;
    for (const term of terms) weight += weights.get(term) ?? 0;
    // Between the sum, which favours the long, and the mean, which favours the short.
    const density = weight / Math.max(4, terms.size) ** 0.6;
    const score = density * positionFactor(sentence) * formFactor(sentence);
    return { sentence, terms, score: score * (1 + 2 * sharedCount(terms, about)) };
  });
}

/** By the number of sentences that hold a term; the very common terms of a text weigh little. */
function termWeights(sentences: readonly Sentence[]): Map<string, number> {
  const counts = countsOf(sentences.flatMap(({ terms }) => [...new Set(terms)]));
  const common = Math.max(8, sentences.length / 5);
  const weightOf = (holders: number): number =>
    holders > common ? 0.3 : Math.log2(1 + holders) - (holders === 1 ? 0.7 : 0);
  return new Map([...counts].map(([term, holders]) => [term, weightOf(holders)]));
}

function countsOf(terms: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** The opening of a text and of a paragraph tend to say what follows. */
function positionFactor({ index, isFirstOfParagraph }: Sentence): number {
  return (index === 0 ? 1.5 : index < 6 ? 1.2 : 1) * (isFirstOfParagraph ? 1.15 : 1);
}

/** Begins with a word that points back at an earlier sentence. */
const needsContext =
  /^["“'‘(]*(?:and|but|or|nor|so|yet|then|thus|hence|he|she|it|they|this|that|these|those|such|his|her|its|their|him|them|here|there|however|therefore|moreover|nevertheless|also|besides|indeed|otherwise|meanwhile|for (?:example|instance)|(?:in|at|to|of|on) (?:this|that|these|those|the other hand)|both of|the former|the latter|another)\b/i;

/** Points at what is not there: "As figure 3 shows", "see section 2". */
const pointsElsewhere =
  /\b(?:figs?\.|(?:figure|table|chapter|section|step|plate|pages?)\s+[\divxlc]|ibid)|https?:|www\.|\b(?:see|shown|described|discussed) (?:above|below|later)\b/i;

/** How well a sentence reads alone. */
function formFactor({ text, words }: Sentence): number {
  let factor = 1;
  if (words < wordsLow) factor *= 0.45;
  if (words > wordsHigh) factor *= (wordsHigh / words) ** 1.5;
  if (needsContext.test(text)) factor *= 0.55;
  if (/^["“«('‘]|[?!]["”’')]*$/.test(text)) factor *= 0.5;
  if (pointsElsewhere.test(text)) factor *= 0.5;
  return factor;
}

/** Begins and ends like a sentence, with its brackets and quotation marks closed. */
function isWhole(text: string): boolean {
  const count = (mark: string): number => text.split(mark).length - 1;
  return (
    /[.!?…。！？]["'”’»)\]]*$/u.test(text) &&
    /^["'“‘«„¿¡(]*[\p{Lu}\p{Lt}\p{Lo}\p{N}]/u.test(text) &&
    count('"') % 2 === 0 &&
    count('“') === count('”') &&
    count('(') === count(')')
  );
}

/** Greedy: the best one, then the best that is new and from elsewhere, until a limit is reached. */
function pick(candidates: readonly Candidate[], total: number, limits: ExtractLimits): Sentence[] {
  const parts = Math.max(1, Math.min(limits.sentencesMax, 12));
  const partOf = ({ index }: Sentence): number => Math.floor((index / Math.max(1, total)) * parts);
  const picked: Candidate[] = [];
  let left = [...candidates];
  let wordsLeft = limits.wordsMax;
  while (picked.length < limits.sentencesMax) {
    left = left.filter(({ sentence }) => sentence.words <= wordsLeft);
    let best: Candidate | null = null;
    let bestScore = 0;
    for (const candidate of left) {
      const part = partOf(candidate.sentence);
      const samePart = picked.filter(({ sentence }) => partOf(sentence) === part).length;
      const score = candidate.score * samePartFactor ** samePart * novelty(candidate, picked);
      if (score > bestScore) [best, bestScore] = [candidate, score];
    }
    if (best === null) break;
    picked.push(best);
    wordsLeft -= best.sentence.words;
  }
  return picked.map(({ sentence }) => sentence);
}

/** From 1 for a sentence that shares no term with an earlier pick to 0 for a repeat. */
function novelty({ terms, sentence }: Candidate, picked: readonly Candidate[]): number {
  let most = 0;
  for (const other of picked) {
    if (other.sentence.text === sentence.text) return 0;
    const smaller = Math.max(1, Math.min(terms.size, other.terms.size));
    most = Math.max(most, sharedCount(terms, other.terms) / smaller);
  }
  return most > 0.7 ? 0 : 1 - most ** 2;
}

/** The most frequent terms of a text, best first. */
export function keywordsOf(source: string, countMax: number): string[] {
  const sentences = sentencesOf(cleanParagraphs(source));
  const terms = sentences.length > 0 ? sentences.flatMap((one) => one.terms) : wordsOf(source);
  return [...countsOf(terms.filter((term) => term.length > 3 && !/\d/.test(term)))]
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, countMax)
    .map(([term]) => term);
}
