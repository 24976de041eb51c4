/** Words as the index knows them: lower case, folded plurals, without those that say nothing. */

/** Signs of scripts that put no space between words. */
const wideSign = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Terms of a text in their order; runs of Chinese or Japanese as pairs of signs. */
export function termsOf(text: string): string[] {
  const words =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return words
    .flatMap((word) => (wideSign.test(word) ? pairs(word) : [folded(word)]))
    .filter((term) => !stopWords.has(term));
}

function pairs(run: string): string[] {
  const signs = Array.from(run);
  return signs.length < 2 ? signs : signs.slice(1).map((sign, index) => `${signs[index]}${sign}`);
}

/** English plurals; enough that "files" finds "file", and no word of another is made. */
function folded(word: string): string {
  if (word.length > 5 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.length > 3 && /[^su]s$/.test(word) ? word.slice(0, -1) : word;
}

const stopWords: ReadonlySet<string> = new Set(
  `a about an and any are as at be because been but by can could did do doe for from had has have he
  her his how i if in into is it its may me more my no not of on or our out s shall she should so some
  such t than that the their them then there these they thi this to up us was wa we were what when
  where which who whom why will with would you your`.split(/\s+/),
);
