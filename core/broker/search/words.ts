/** Translates search text into a query of SQLite's full-text index. */

import { AiqError } from '../../protocol/index.ts';

/** Each word costs an index scan. */
const wordsMax = 32;
const textLengthMax = 1000;

/** Characters of words in the index; all others separate words. */
const letterOrDigit = /[\p{L}\p{N}\p{Co}]/u;

/**
 * A query for rows that have all words of the text. Every word is quoted, so that nothing in it is
 * an operator; one with a sign inside (`article-12`) stands for its parts, in this order.
 * @throws AiqError `BAD_REQUEST` when the text has no word, too many or is too long
 */
export function wordsQuery(text: string): string {
  if (text.length > textLengthMax) {
    throw new AiqError('BAD_REQUEST', `text to search for has at most ${textLengthMax} characters`);
  }
  // To the index a NUL is the end of the query.
  const words = text.split(/[\s\0]+/).filter((word) => letterOrDigit.test(word));
  if (words.length === 0) {
    const shown = JSON.stringify(text.slice(0, 40));
    throw new AiqError('BAD_REQUEST', `text to search for needs a letter or a digit: ${shown}`);
  }
  if (words.length > wordsMax) {
    throw new AiqError('BAD_REQUEST', `text to search for has at most ${wordsMax} words`);
  }
  return words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' ');
}
