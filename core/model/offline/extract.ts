/**
 * Picks the sentences that carry a text: frequent words, a good place, nothing said twice, and from
 * all over the document. The result is always the source's own sentences, in their order.
 */

import { cleanParagraphs } from './clean.ts';
import { type Sentence, sentencesOf, stem, wordsOf } from './sentences.ts';

export interface ExtractLimits {
  readonly sentencesMax: number;
  readonly wordsMax: number;
}

interface Candidate {
  readonly sentence: Sentence;
  readonly terms: ReadonlySet<string>;
  readonly score: number;
}

/** Sentences shorter or longer than this rarely stand alone. */
const wordsLow = 8;
const wordsHigh = 38;

/** From this many sentences on a text is long enough to be choosy. */
const sentencesLong = 20;

/** What an earlier pick of the same part of the document, or of the same words, leaves of a score. */
const samePartFactor = 0.45;

/**
 * The best sentences of `source`, verbatim up to cleaning, in the order of the text. `about` pulls
 * towards sentences that share its words.
 */
export function extractSentences(source: string, limits: ExtractLimits, about = ''): string[] {
  const sentences = sentencesOf(cleanParagraphs(source));
  const candidates = scored(sentences, new Set(wordsOf(about).map(stem)));
  const best = candidates.reduce((most, { score }) => Math.max(most, score), 0);
  // A long text has better fillers than its scraps.
  const floor = sentences.length > sentencesLong ? best * 0.3 : 0;
  const worthy = candidates.filter((candidate) => candidate.score >= floor);
  const picked = pick(worthy, sentences.length, limits);
  if (picked.length === 0) return firstWords(sentences, limits.wordsMax);
  return picked.toSorted((a, b) => a.index - b.index).map((sentence) => sentence.text);
}

/** When no sentence is short enough, the beginning of the best place there is, marked as cut. */
function firstWords(sentences: readonly Sentence[], wordsMax: number): string[] {
  const shortest = sentences.toSorted((a, b) => a.words - b.words)[0];
  if (shortest === undefined || wordsMax < 1) return [];
  const words = shortest.text.split(' ');
  return [words.length <= wordsMax ? shortest.text : `${words.slice(0, wordsMax).join(' ')}…`];
}

function scored(sentences: readonly Sentence[], about: ReadonlySet<string>): Candidate[] {
  const weights = termWeights(sentences);
  // A long text can do without scraps; in a short one they may be all there is.
  const wordsMin = sentences.length > sentencesLong ? wordsLow : 3;
  const whole = sentences.filter(
    (sentence) => sentence.words >= wordsMin && canStandAlone(sentence),
  );
  return whole.map((sentence) => {
    const terms = new Set(sentence.terms);
    // Never zero: a text that says everything once still has an order of worth.
    let weight = 0.1;
    let shared = 0;
    for (const term of terms) {
      weight += weights.get(term) ?? 0;
      if (about.has(term)) shared += 1;
    }
    // Between the sum, which favours the long, and the mean, which favours the short.
    const density = weight / Math.max(4, terms.size) ** 0.6;
    const score = density * placeFactor(sentence, sentences.length) * formFactor(sentence);
    return { sentence, terms, score: score * (1 + 2 * shared) };
  });
}

/**
 * How much the text is about each term: by the number of sentences that hold it. Terms of a single
 * sentence weigh little, and those of more than a fifth of a long text are its stop words.
 */
function termWeights(sentences: readonly Sentence[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { terms } of sentences) {
    for (const term of new Set(terms)) counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  const common = Math.max(8, sentences.length / 5);
  const weights = new Map<string, number>();
  for (const [term, holders] of counts) {
    weights.set(term, holders > common ? 0.3 : Math.log2(1 + holders) - (holders === 1 ? 0.7 : 0));
  }
  return weights;
}

/** The opening of a text and of a paragraph tend to say what follows. */
function placeFactor({ index, place }: Sentence, total: number): number {
  const lead = index === 0 ? 1.5 : index < Math.min(6, total / 8) ? 1.2 : 1;
  const closing = total > 12 && index >= total - 3 ? 1.1 : 1;
  return lead * closing * (place === 0 ? 1.15 : 1);
}

const needsContext =
  /^["“'‘(]*(?:and|but|or|nor|so|yet|then|thus|hence|he|she|it|they|this|that|these|those|such|his|her|its|their|him|them|here|there|however|therefore|moreover|furthermore|nevertheless|accordingly|again|also|besides|indeed|otherwise|meanwhile|for example|for instance|on the other hand|in this|in that|in these|in those|at this|at that|to this|of these|both of|the former|the latter|another|at all events|at any rate|\w+ed by (?:this|that|these|him|her|it))\b/i;

/** "As figure 3 shows", "see section 2": the thing pointed at is not there. */
const pointsElsewhere =
  /\b(?:figs?\.|(?:figure|table|chapter|section|step|plate|page|pages)\s+[\divxlc]|ibid|op\. cit)|https?:|www\.|\b(?:see|shown|described|discussed) (?:above|below|later)\b/i;

/** How well a sentence reads when it stands alone. */
function formFactor({ text, words }: Sentence): number {
  let factor = 1;
  if (words < wordsLow) factor *= 0.45;
  if (words > wordsHigh) factor *= (wordsHigh / words) ** 1.5;
  if (needsContext.test(text)) factor *= 0.55;
  if (isTitle(text) || /^\w+ing [^,]+$/.test(text)) factor *= 0.4;
  if (/\?["”’')]*$/.test(text)) factor *= 0.4;
  if (/![”"’)]*$/.test(text)) factor *= 0.7;
  if (/^["“«('‘]/.test(text)) factor *= 0.6;
  if (/\b(?:I|my|we|our)\b/.test(text)) factor *= 0.85;
  if (count(text, ';') > 3) factor *= 0.4;
  if (pointsElsewhere.test(text)) factor *= 0.5;
  return factor;
}

/** Most of its longer words begin with a capital: a heading that ends in a full stop. */
function isTitle(text: string): boolean {
  const longer = text.match(/\p{L}{4,}/gu) ?? [];
  const capital = longer.filter((word) => /^\p{Lu}/u.test(word));
  return longer.length < 12 && capital.length > 0.7 * longer.length;
}

/** Whole sentences only: begun like one, ended like one, with its brackets and quotes closed. */
function canStandAlone({ text }: Sentence): boolean {
  const isEnded = /[.!?…。！？]["'”’»)\]]*$/u.test(text);
  const isBegun = /^["'“‘«„¿¡(]*[\p{Lu}\p{Lt}\p{Lo}\p{N}]/u.test(text);
  const isClosed =
    count(text, '"') % 2 === 0 && balanced(text, '“', '”') && balanced(text, '(', ')');
  return isEnded && isBegun && isClosed;
}

function balanced(text: string, open: string, close: string): boolean {
  return count(text, open) === count(text, close);
}

function count(text: string, mark: string): number {
  return text.split(mark).length - 1;
}

/** Greedy: the best one, then the best that is new and from elsewhere, until a limit is reached. */
function pick(candidates: readonly Candidate[], total: number, limits: ExtractLimits): Sentence[] {
  const parts = Math.max(1, Math.min(limits.sentencesMax, 12));
  const taken = Array.from({ length: parts }, () => 0);
  const picked: Candidate[] = [];
  const left = new Set(candidates);
  let words = 0;
  while (picked.length < limits.sentencesMax) {
    let best: Candidate | null = null;
    let bestScore = 0;
    for (const candidate of left) {
      if (words + candidate.sentence.words > limits.wordsMax) {
        left.delete(candidate);
        continue;
      }
      const crowd = taken[partOf(candidate, total, parts)] ?? 0;
      const score = candidate.score * samePartFactor ** crowd * novelty(candidate, picked);
      if (score > bestScore) [best, bestScore] = [candidate, score];
    }
    if (best === null) break;
    left.delete(best);
    picked.push(best);
    words += best.sentence.words;
    const part = partOf(best, total, parts);
    taken[part] = (taken[part] ?? 0) + 1;
  }
  return picked.map((candidate) => candidate.sentence);
}

function partOf({ sentence }: Candidate, total: number, parts: number): number {
  return Math.min(parts - 1, Math.floor((sentence.index / Math.max(1, total)) * parts));
}

/** 1 when nothing was said before, 0 when all of it was. */
function novelty({ terms, sentence }: Candidate, picked: readonly Candidate[]): number {
  let worst = 0;
  for (const other of picked) {
    if (other.sentence.text === sentence.text) return 0;
    let shared = 0;
    for (const term of terms) if (other.terms.has(term)) shared += 1;
    worst = Math.max(worst, shared / Math.max(1, Math.min(terms.size, other.terms.size)));
  }
  return worst > 0.7 ? 0 : 1 - worst ** 2;
}

/** The words a text is most about, as it writes them, best first. */
export function keywordsOf(source: string, countMax: number): string[] {
  const sentences = sentencesOf(cleanParagraphs(source));
  const weights = new Map<string, number>();
  const texts = sentences.length > 0 ? sentences.flatMap(({ terms }) => terms) : wordsOf(source);
  for (const term of texts) {
    if (term.length > 3 && !/\d/.test(term)) weights.set(term, (weights.get(term) ?? 0) + 1);
  }
  return [...weights]
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, countMax)
    .map(([term]) => term);
}
