/** Reads out of a prompt, as a person would, how long and in what shape the answer may be. */

export interface AnswerShape {
  readonly form: 'bullets' | 'paragraph';
  readonly itemsMax: number;
  readonly wordsMax: number;
}

const numberWords = 'one two three four five six seven eight nine ten eleven twelve'.split(' ');
const number = `(\\d{1,4}|${numberWords.join('|')}|an?)`;
const atMost =
  '\\b(?:at most|no more than|not more than|up to|a maximum of|maximum|max\\.?|within|under|in|exactly|of)';
const bulletNoun = '(?:bullet points?|bullets|bullet|points?|items?|list items?|key points?)';
/** Without "at most" a point or an item is often something else: "one point at a time". */
const plainBulletNoun = '(?:bullet points?|bullets?|key points)';

const defaultItems = 5;
const defaultWords = 120;
/** Limits that a prompt cannot lift: what it asks for beyond them would be no summary. */
const itemsCap = 50;
const wordsCap = 2000;

export function shapeOf(instructions: string): AnswerShape {
  const prompt = instructions.replace(/(?<=\d),(?=\d{3}\b)/g, '');
  const bullets = limitFor(prompt, bulletNoun, plainBulletNoun);
  const sentences = limitFor(prompt, 'sentences?');
  const words = limitFor(prompt, 'words?');
  const wantsBullets = bullets !== null || /\bbullet(?:s|ed)?\b/i.test(prompt);
  const isParagraph = !wantsBullets || (bullets === null && /\bparagraph\b/i.test(prompt));
  if (isParagraph) {
    // Enough sentences to fill the words; without any limit, a paragraph of the usual length.
    const itemsMax = sentences ?? (words === null ? defaultItems : itemsCap);
    return {
      form: 'paragraph',
      itemsMax: cap(itemsMax, itemsCap),
      wordsMax: cap(words ?? defaultWords, wordsCap),
    };
  }
  return {
    form: 'bullets',
    itemsMax: cap(bullets ?? sentences ?? defaultItems, itemsCap),
    wordsMax: cap(words ?? wordsCap, wordsCap),
  };
}

/** "at most 5 bullets", "3-5 key points", "five bullets or fewer", "a 100-word paragraph". */
function limitFor(prompt: string, noun: string, plainNoun = noun): number | null {
  const shapes = [
    `${atMost}\\s+(?:\\d{1,4}\\s*(?:-|–|to)\\s*)?${number}[\\s-]+(?:\\w+\\s+)?${noun}\\b`,
    `${number}[\\s-]+(?:\\w+\\s+)?${noun}\\s+(?:or (?:fewer|less)|at (?:the )?most|maximum)\\b`,
    `\\b(?:\\d{1,4}\\s*(?:-|–|to)\\s*)?${number}[\\s-]+(?:short\\s+)?${plainNoun}\\b`,
  ];
  for (const shape of shapes) {
    const value = new RegExp(shape, 'i').exec(prompt)?.[1]?.toLowerCase();
    if (value === undefined) continue;
    const named = numberWords.indexOf(value) + 1;
    return named > 0 ? named : /^an?$/.test(value) ? 1 : Number(value);
  }
  return null;
}

function cap(value: number, max: number): number {
  return Math.max(1, Math.min(value, max));
}
