/**
 * Looks in a text as if all its accented letters were composed (Unicode NFC), and answers with the
 * text as it is: the same words are written in either form, depending on who wrote the file.
 */

export interface Found {
  /** Offset in the text itself. */
  readonly start: number;
  /** The text's own characters. */
  readonly text: string;
}

/** A sign with all that may be composed with it: accents, and the parts of a Korean syllable. */
const sign = /(?:\P{M}|^)[\p{M}\u1161-\u1175\u11A8-\u11C2]*/gu;

/** @param pattern of composed characters */
export function findComposed(text: string, pattern: RegExp): Found | null {
  const composed = text.normalize('NFC');
  const match = pattern.exec(composed);
  if (match === null) return null;
  const { 0: words, index } = match;
  if (composed === text) return { start: index, text: words };
  const start = offsetIn(text, index);
  const end = start + offsetIn(text.slice(start), words.length);
  return { start, text: text.slice(start, end) };
}

/** Where in the text the sign begins that stands at an offset of the composed text. */
function offsetIn(text: string, composedOffset: number): number {
  let passed = 0;
  for (const { 0: part, index } of text.matchAll(sign)) {
    if (passed >= composedOffset) return index;
    passed += part.normalize('NFC').length;
  }
  return text.length;
}
