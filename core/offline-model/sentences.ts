/** Cuts plain paragraphs into sentences, verbatim, and words into the terms that they are about. */

export interface Sentence {
  readonly text: string;
  /** Its number in the document, from 0. */
  readonly index: number;
  readonly isFirstOfParagraph: boolean;
  readonly words: number;
  /** Its content words, stemmed. */
  readonly terms: readonly string[];
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'sentence' });

/** Abbreviations that do not end a sentence, even before a capital. */
const abbreviation =
  /(?:^|[\s("“‘[])(?:Mrs?|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Capt|Lt|Gov|Sen|Rep|Mt|vs|cf|viz|etc|al|Figs?|Nos?|Vols?|pp?|Ch|Sec|eds?|ca|approx|e\.g|i\.e|[A-Z]|(?:[A-Z]\.)+[A-Z])\.["'”’)\]]*$/u;

/** Scripts without spaces between words. */
const wideSign = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu;

/** Longest that abbreviations and unclosed quotation marks may stretch a sentence, in characters. */
const openCharsMax = 500;

export function sentencesOf(paragraphs: readonly string[]): Sentence[] {
  const texts = paragraphs.map(splitParagraph);
  const firsts = texts.flatMap((parts) => parts.map((_, number) => number === 0));
  return texts.flat().map((text, index) => ({
    text,
    index,
    isFirstOfParagraph: firsts[index] === true,
    words: wordCount(text),
    terms: wordsOf(text).map(stem).filter(isContentWord),
  }));
}

function splitParagraph(paragraph: string): string[] {
  const sentences: string[] = [];
  let isOpen = false;
  for (const { segment } of segmenter.segment(paragraph)) {
    // "What!" he said: a small letter continues the sentence before it.
    const continues = isOpen || /^["'”’)\]]*\p{Ll}/u.test(segment);
    const sentence = (continues ? (sentences.pop() ?? '') : '') + segment;
    sentences.push(sentence);
    isOpen = isUnfinished(sentence);
  }
  return sentences.map((sentence) => sentence.trim()).filter((sentence) => sentence !== '');
}

function isUnfinished(text: string): boolean {
  if (text.length > openCharsMax) return false;
  // No space behind the dot: a path such as `../Notes`, or a dot before a footnote mark.
  return /\.\[?$/.test(text) || abbreviation.test(text.trimEnd().slice(-40)) || hasOpenQuote(text);
}

/** Speech of several sentences stays in one piece, as half of it would read broken. */
function hasOpenQuote(text: string): boolean {
  const count = (mark: RegExp): number => text.match(mark)?.length ?? 0;
  return count(/[“«„]/g) > count(/[”»]/g) || count(/"/g) % 2 === 1 || count(/\(/g) > count(/\)/g);
}

function isContentWord(word: string): boolean {
  return (word.length > 2 || word.search(wideSign) !== -1) && !stopWords.has(word);
}

/** Words as a person counts them; in scripts without spaces, two signs are one. */
export function wordCount(text: string): number {
  const spaced = text.split(/\s+/).filter((word) => word !== '').length;
  return Math.max(spaced, Math.ceil((text.match(wideSign)?.length ?? 0) / 2));
}

/** Lower-case words, accents composed; runs of Chinese or Japanese as pairs of signs. */
export function wordsOf(text: string): string[] {
  const plain = text.normalize('NFC').toLowerCase();
  const runs = plain.match(/[\p{L}\p{N}]+(?:[’'][\p{L}]+)?/gu) ?? [];
  return runs.flatMap((run) => (run.search(wideSign) === -1 ? [run] : pairs(run)));
}

function pairs(run: string): string[] {
  const signs = Array.from(run);
  return signs.length < 2 ? signs : signs.slice(1).map((sign, index) => `${signs[index]}${sign}`);
}

/** Folds plural and possessive. */
export function stem(word: string): string {
  const bare = word.replace(/[’']\p{L}{1,2}$/u, '');
  if (bare.endsWith('ies') && bare.length > 5) return `${bare.slice(0, -3)}y`;
  return /[^s]s$/.test(bare) && bare.length > 4 ? bare.slice(0, -1) : bare;
}

/** How many terms two sets share. */
export function sharedCount(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  let count = 0;
  for (const term of left) if (right.has(term)) count += 1;
  return count;
}

/** English only: in other languages the frequency of a word does this. */
export const stopWords: ReadonlySet<string> = new Set(
  `a about after again against all also although always am an and another any are as at away back be
  because been before being between both but by came can cannot come could did do does done down each
  either even ever every few first for from get give go good great had has have he her here him himself
  his how however i if in indeed into is it its itself just know last least less let like little long
  made make man many may me men might more most much must my never new no nor not nothing now of off
  often old on once one only or other others our out over own part people perhaps place put quite
  rather said same see seem seen several shall she should since small so some still such take than
  that the their them themselves then there therefore these they thing this those though three through
  thus time to together too two under until up upon us used very was way we well went were what when
  where whether which while who whole whom whose why will with within without would yet you your`.split(
    /\s+/,
  ),
);
