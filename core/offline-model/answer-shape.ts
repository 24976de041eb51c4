/** Reads the length and the form of the answer that a system prompt asks for. */

export interface AnswerShape {
  readonly form: 'bullets' | 'paragraph';
  readonly itemsMax: number;
  readonly wordsMax: number;
}

const defaultItems = 5;
const defaultWords = 120;
/** Limits that a prompt cannot lift: what it asks for beyond them would be no summary. */
const itemsCap = 50;
const wordsCap = 2000;

export function shapeOf(instructions: string): AnswerShape {
  const prompt = instructions.replace(/(?<=\d),(?=\d{3}\b)/g, '');
  const bullets = countOf(prompt, '(?:bullets?|bullet points?|list items?|key points?|points)');
  const sentences = countOf(prompt, 'sentences?');
  const words = countOf(prompt, 'words?');
  if (bullets !== null || /\bbullet(?:s|ed)?\b/i.test(prompt)) {
    return {
      form: 'bullets',
      itemsMax: capped(bullets ?? sentences ?? defaultItems, itemsCap),
      wordsMax: capped(words ?? wordsCap, wordsCap),
    };
  }
  // With a limit of words alone, as many sentences as fill it.
  const itemsMax = sentences ?? (words === null ? defaultItems : itemsCap);
  return {
    form: 'paragraph',
    itemsMax: capped(itemsMax, itemsCap),
    wordsMax: capped(words ?? defaultWords, wordsCap),
  };
}

const numberWords = 'one two three four five six seven eight nine ten eleven twelve'.split(' ');

/** The number in front of a noun: "at most 5 bullets", "three key points", "a 100-word paragraph". */
function countOf(prompt: string, noun: string): number | null {
  const shape = `\\b(\\d{1,4}|${numberWords.join('|')})[\\s-]+(?:short\\s+)?${noun}\\b`;
  const number = new RegExp(shape, 'i').exec(prompt)?.[1]?.toLowerCase();
  if (number === undefined) return null;
  return numberWords.indexOf(number) + 1 || Number(number);
}

function capped(value: number, max: number): number {
  return Math.max(1, Math.min(value, max));
}
