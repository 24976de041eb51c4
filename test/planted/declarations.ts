/**
 * Finds what a source declares by its name: planted bugs say with it where they lie, so that neither
 * the formatter nor a move inside the file costs them their place.
 */

import { readSourceText } from '../tidy/rules/source-text.ts';

/** A part of a text: its first character, and the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Where a source declares a name: once, unless overloads or a getter and its setter share it.
 * @param name a function, constant or class at the top of the source, or `Class.member`
 */
export function declarationsOf(source: string, name: string): Span[] {
  const { bare } = readSourceText(source);
  const [outer = '', inner] = name.split('.');
  const found = named(outer, atTop, bare, partsOf(bare, { start: 0, end: bare.length }));
  if (inner === undefined) return found;
  return named(
    inner,
    inClass,
    bare,
    found.flatMap((each) => partsOf(bare, bodyOf(bare, each))),
  );
}

const atTop =
  /^(?:(?:export|default|abstract|async) +)*(?:function\b *\*?|const|let|class) *(?<name>[\w$]+)/;
const inClass =
  /^(?:(?:private|protected|public|static|override|readonly|abstract|async|get|set) +)*\*? *(?<name>#?[\w$]+)/;

function named(name: string, pattern: RegExp, bare: string, parts: readonly Span[]): Span[] {
  return parts.filter(
    ({ start, end }) => pattern.exec(bare.slice(start, end))?.groups?.['name'] === name,
  );
}

function bodyOf(bare: string, { start, end }: Span): Span {
  return { start: bare.indexOf('{', start) + 1, end: end - 1 };
}

/** Statements of a source, or members of a class: each ends with its `;`, or with the `}` of its body. */
function partsOf(bare: string, { start, end }: Span): Span[] {
  const parts: Span[] = [];
  let depth = 0;
  let from = start;
  for (let at = start; at < end; at++) {
    const char = bare[at] ?? '';
    if ('([{'.includes(char)) depth++;
    if (')]}'.includes(char)) depth--;
    if (depth > 0 || !(char === ';' || (char === '}' && isBodyEnd(bare, at)))) continue;
    parts.push({ start: from + bare.slice(from).search(/\S/), end: at + 1 });
    from = at + 1;
  }
  return parts;
}

/** What follows a `}` that ends a body: a new line that begins something else, or nothing. */
const somethingElse = / *\n\s*[\w$#*['"}]|\s*$/y;

function isBodyEnd(bare: string, at: number): boolean {
  somethingElse.lastIndex = at + 1;
  return somethingElse.test(bare);
}
