/** Cuts plain paragraphs into sentences, verbatim, and counts their words. */

export interface Sentence {
  readonly text: string;
  /** Its number in the document, from 0. */
  readonly index: number;
  /** Its number in its paragraph, from 0. */
  readonly place: number;
  readonly words: number;
  /** Content words, lower case, folded to a stem: what it is about. */
  readonly terms: readonly string[];
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'sentence' });

/** Abbreviations after which a sentence goes on even though a capital follows. */
const abbreviation =
  /(?:^|[\s("“‘[])(?:Mrs?|Ms|Dr|Prof|St|Sr|Jr|Rev|Hon|Gen|Col|Capt|Lt|Sgt|Gov|Sen|Rep|Messrs|Mme|Mlle|Mt|Ft|vs|cf|viz|etc|al|Fig|Figs|Nos?|Vols?|pp?|Ch|Sec|ed|eds|ca|approx|e\.g|i\.e|[A-Z]|(?:[A-Z]\.)+[A-Z])\.["'”’)\]]*$/u;

/** Signs of scripts that put no space between words. */
const wideSign = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Longest that abbreviations and unclosed quotation marks may stretch a sentence, in characters. */
const openCharsMax = 500;

export function sentencesOf(paragraphs: readonly string[]): Sentence[] {
  const sentences: Sentence[] = [];
  for (const paragraph of paragraphs) {
    splitParagraph(paragraph).forEach((text, place) => {
      const all = wordsOf(text);
      const terms = all.map(stem).filter(isContentWord);
      sentences.push({ text, index: sentences.length, place, words: wordCount(text), terms });
    });
  }
  return sentences;
}

function isContentWord(word: string): boolean {
  return (word.length > 2 || wideSign.test(word)) && !stopWords.has(word);
}

/** Words as a person counts them: separated by white space; in scripts without it, two signs each. */
export function wordCount(text: string): number {
  const wide = text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu)?.length ?? 0;
  const spaced = text.split(/\s+/).filter((word) => word !== '').length;
  return Math.max(spaced, Math.ceil(wide / 2));
}

/** Lower-case words, accents composed; runs of Chinese or Japanese as pairs of signs. */
export function wordsOf(text: string): string[] {
  const runs =
    text
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+(?:[’'][\p{L}]+)?/gu) ?? [];
  return runs.flatMap((run) => (wideSign.test(run) ? pairs(run) : [run]));
}

/** Folds plural and possessive: enough to see that two sentences speak of the same thing. */
export function stem(word: string): string {
  const bare = word.replace(/[’']\p{L}{1,2}$/u, '');
  if (bare.endsWith('ies') && bare.length > 5) return `${bare.slice(0, -3)}y`;
  return /[^s]s$/.test(bare) && bare.length > 4 ? bare.slice(0, -1) : bare;
}

function splitParagraph(paragraph: string): string[] {
  const sentences: string[] = [];
  let isOpen = false;
  for (const { segment } of segmenter.segment(paragraph)) {
    // "What!" he said: a small letter goes on with the sentence before it.
    const goesOn = isOpen || /^["'”’)\]]*\p{Ll}/u.test(segment);
    const before = goesOn ? (sentences.pop() ?? '') : '';
    sentences.push(before + segment);
    isOpen = isUnfinished(before + segment);
  }
  return sentences.map((sentence) => sentence.trim()).filter((sentence) => sentence !== '');
}

function isUnfinished(text: string): boolean {
  if (text.length > openCharsMax) return false;
  // No space behind a dot: it stands in a path such as `../Notes`, or in front of a note's number.
  return /\.\[?$/.test(text) || abbreviation.test(text.trimEnd().slice(-40)) || hasOpenQuote(text);
}

/** Speech of several sentences stays in one piece, as half of it would read broken. */
function hasOpenQuote(text: string): boolean {
  const count = (mark: RegExp): number => text.match(mark)?.length ?? 0;
  return count(/[“«„]/g) > count(/[”»]/g) || count(/"/g) % 2 === 1 || count(/\(/g) > count(/\)/g);
}

function pairs(run: string): string[] {
  const signs = Array.from(run);
  return signs.length < 2 ? signs : signs.slice(1).map((sign, index) => `${signs[index]}${sign}`);
}

/** Words that say nothing about what an English text is about; other languages do with frequency. */
export const stopWords: ReadonlySet<string> = new Set(
  `a about above after again against all almost along already also although always am among an and
  another any anything are around as at away back be became because become been before began behind
  being below between both but by came can cannot come could day did do does doing done down during
  each either else enough even ever every few first for found from full gave get give go goes going
  gone got great had half hand has have having he her here hers herself him himself his how however i
  if in indeed instead into is it its itself just keep kept know known last least left less let like
  little long look made make making man many may me men might more most much must my myself near
  nearly never new next no nor not nothing now of off often old on once one only onto or other others
  our out over own part people perhaps place put quite rather really said same saw say see seem
  seemed seen several shall she should since small so some something sometimes soon still such take
  taken tell than that the thee their them themselve themselves then there therefore these they thing
  this those thou though thought three through thus thy time to together told too took toward towards
  two under until up upon us used very was way we well went were what when where whether which while
  who whole whom whose why will with within without would year yes yet you your`.split(/\s+/),
);
