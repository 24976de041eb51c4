/**
 * Figures in documents that the code decides: `4 MiB<!-- = cacheBytesMaxDefault -->` says that the
 * constant of this name has this value. Constants are read from the text of the sources of `core/`.
 */

import type { Sources } from './repository.ts';
import { readSourceText } from './source-text.ts';

export interface Figure {
  /** The quantity as the document writes it. */
  readonly text: string;
  /** A constant that is declared once in `core/`, or a member of one: `limits.jobBytesMax`. */
  readonly name: string;
}

const units = new Map(
  Object.entries({
    KiB: 1024,
    MiB: 1024 ** 2,
    GiB: 1024 ** 3,
    TiB: 1024 ** 4,
    ms: 1,
    second: 1_000,
    s: 1_000,
    minute: 60_000,
    hour: 3_600_000,
    day: 86_400_000,
  }),
);
const spelled = [
  'zero',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
];

/** Every marked figure of a document, in order. */
export function figuresIn(markdown: string): Figure[] {
  const amount = `(?:\\d[\\d,.]*|\\b(?:${spelled.join('|')}))`;
  const pattern = new RegExp(`(?<text>${amount}(?: [A-Za-z]+)?)<!-- = (?<name>[\\w.]+) -->`, 'gi');
  return [...withoutCode(markdown).matchAll(pattern)].map(({ groups }) => ({
    text: groups?.['text'] ?? '',
    name: groups?.['name'] ?? '',
  }));
}

/** Markers of a document, whether or not a figure was read before them; those in code are left out. */
export function markerCount(markdown: string): number {
  return withoutCode(markdown).split('<!-- = ').length - 1;
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/`[^`\n]*`/g, 'code');
}

/** The number that a quantity means, in bytes, milliseconds or pieces; NaN for none. */
export function valueOfText(text: string): number {
  const [amount = '', unit = ''] = text.trim().split(/\s+/);
  const word = spelled.indexOf(amount.toLowerCase());
  const number = word === -1 ? Number(amount.replaceAll(',', '')) : word;
  return number * (units.get(unit) ?? units.get(unit.replace(/s$/, '')) ?? 1);
}

/**
 * The value of a constant.
 * @throws Error when no source declares it as a number, or several do
 */
export function valueOfConstant(sources: Sources, name: string): number {
  const [first = ''] = name.split('.');
  const values = [...sources.values()]
    .filter((source) => source.includes(`const ${first}`))
    .map((source) => valueIn(readSourceText(source).code, name))
    .filter((value) => !Number.isNaN(value));
  const [value = Number.NaN] = values;
  if (values.length !== 1) throw new Error(`${name} is declared ${values.length} times`);
  return value;
}

/** NaN where the source does not declare it, or not as a number. */
function valueIn(code: string, name: string): number {
  const [first = '', ...members] = name.split('.');
  const start = new RegExp(`(?<![\\w.])const ${first}(?:: [^=\\n]+)? = `).exec(code);
  let rest = start === null ? '' : code.slice(start.index + start[0].length);
  for (const member of members) {
    const found = new RegExp(`[\\s{]${member}: `).exec(rest);
    rest = found === null ? '' : rest.slice(found.index + found[0].length);
  }
  const expression = /^[^,;}]*/.exec(rest)?.[0].replace(/ (?:as|satisfies) .*/s, '') ?? '';
  return expression.trim() === '' ? Number.NaN : evaluate(expression, code);
}

/** Sums of products of powers; names are constants of the same source. */
function evaluate(expression: string, code: string): number {
  const fold = (pattern: RegExp, rest: (part: string) => number): readonly number[] =>
    expression.split(pattern).map(rest);
  if (/ [+] /.test(expression)) {
    return fold(/ [+] /, (part) => evaluate(part, code)).reduce((left, right) => left + right);
  }
  if (/ [*] /.test(expression)) {
    return fold(/ [*] /, (part) => evaluate(part, code)).reduce((left, right) => left * right);
  }
  if (/ [*]{2} | [/] /.test(expression)) {
    const [left = 0, right = 0] = fold(/ (?:[*]{2}|[/]) /, (part) => evaluate(part, code));
    return expression.includes('/') ? left / right : left ** right;
  }
  const text = expression.trim();
  return /^[a-z][\w.]*$/i.test(text) ? valueIn(code, text) : Number(text.replaceAll('_', ''));
}
