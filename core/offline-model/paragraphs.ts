/**
 * Splits a document (Markdown, HTML, hard-wrapped text, e-books) into paragraphs of plain prose:
 * without marks, headings, tables, code, link targets and boilerplate, the words unchanged.
 */

/** Paragraphs in their order. */
export function cleanParagraphs(source: string): string[] {
  const text = withoutFrame(source.replace(/\r\n?/g, '\n').normalize('NFC'));
  const lines = withoutCode(text).split('\n').map(cleanLine);
  return joinLines(lines)
    .map(cleanInline)
    .filter((paragraph) => paragraph !== '' && !isHeading(paragraph));
}

/** Front matter, HTML, and the licence around a Project Gutenberg text. */
function withoutFrame(text: string): string {
  const start = /^\*{3} ?START OF.*\*{3}$/im.exec(text);
  const end = /^\*{3} ?END OF.*\*{3}$/im.exec(text);
  const from = start === null ? 0 : start.index + start[0].length;
  const to = end === null || end.index < from ? text.length : end.index;
  const body = text.slice(from, to).replace(/^\uFEFF?---\n[^]*?\n---\n/, '');
  return blocks
    .reduce((rest, [open, close]) => withoutBlocks(rest, open, close), body)
    .replace(/<\/?(?:p|div|li|ul|ol|h[1-6]|br|tr|table|section|article)\b[^<>]*>/gi, '\n\n')
    .replace(/<\/?[a-z][^<>]*>/gi, '');
}

const blocks = [
  [/<!--/g, /-->/g],
  [/<script\b/gi, /<\/script\s*>/gi],
  [/<style\b/gi, /<\/style\s*>/gi],
] as const;

/** Not by one pattern: on a text full of opening tags that would take quadratic time. */
function withoutBlocks(text: string, open: RegExp, close: RegExp): string {
  const kept: string[] = [];
  let from = 0;
  for (;;) {
    open.lastIndex = from;
    const start = open.exec(text);
    close.lastIndex = start?.index ?? text.length;
    const end = start === null ? null : close.exec(text);
    if (start === null || end === null) break;
    kept.push(text.slice(from, start.index), ' ');
    from = end.index + end[0].length;
  }
  kept.push(text.slice(from));
  return kept.join('');
}

function withoutCode(text: string): string {
  return text.replace(/^ {0,3}(```+|~~~+)[^]*?(?:^ {0,3}\1[`~]*[^\S\n]*$|$(?![^]))/gm, '\n');
}

interface Line {
  readonly text: string;
  /** `break` ends a paragraph; `item` begins one; `underline` makes a heading of the line before. */
  readonly kind: 'text' | 'item' | 'break' | 'underline';
}

const listMark = /^\s*(?:[-*+•–]|\d{1,3}[.)])\s+(?=\S)/;

function cleanLine(line: string): Line {
  const text = line.replace(/^\s*(?:>\s?)+/, '').trimEnd();
  if (/^\s*(?:=+|-{2,})\s*$/.test(text)) return { text: '', kind: 'underline' };
  const isBreak =
    text.trim() === '' ||
    /^\s{0,3}#{1,6}(?:\s|$)/.test(text) ||
    /^\s*\|/.test(text) ||
    /^\s*(?:[-*_+]\s*){3,}$/.test(text) ||
    /^\s*\[[^\]]+\]:\s*\S+/.test(text);
  if (isBreak) return { text: '', kind: 'break' };
  const unmarked = text.replace(listMark, '');
  return { text: unmarked.trim(), kind: unmarked === text ? 'text' : 'item' };
}

/** Joins hard-wrapped lines. */
function joinLines(lines: readonly Line[]): string[] {
  const paragraphs: string[] = [];
  let current: string[] = [];
  const flush = (): void => {
    if (current.length > 0) paragraphs.push(joined(current));
    current = [];
  };
  for (const line of lines) {
    // A setext underline makes the line above it a heading.
    if (line.kind === 'underline' && current.length === 1) current = [];
    if (line.kind !== 'text') flush();
    if (line.text !== '') current.push(line.text);
  }
  flush();
  return paragraphs;
}

/** A word that is divided at the end of a line keeps its hyphen, which may be its own. */
function joined(lines: readonly string[]): string {
  return lines
    .join('\n')
    .replace(/(?<=\p{L}-)\n(?=\p{Ll})/gu, '')
    .replaceAll('\n', ' ');
}

function cleanInline(paragraph: string): string {
  return paragraph
    .replace(/!\[[^\]]{0,300}\]\((?:[^()]|\([^()]*\))*\)/g, '')
    .replace(/\[\^?\d{1,3}\]|\[\^[\w-]{1,40}\]/g, '')
    .replace(/\[([^\]]{1,300})\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\])/g, '$1')
    .replace(/<https?:[^<>]*>/g, '')
    .replace(/(\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1/g, '$2')
    .replace(/(?<![\p{L}\p{N}*/])\*(?=\S)([^*]{1,300}?)(?<=\S)\*(?![\p{L}\p{N}*/])/gu, '$1')
    .replace(/(?<![\p{L}\p{N}_/])_(?=\S)([^_]{1,300}?)(?<=\S)_(?![\p{L}\p{N}_/])/gu, '$1')
    .replace(/`+([^`]*)`+/g, '$1')
    .replace(/\\([\\`*_{}[\]()#+.!-])/g, '$1')
    .replace(/&(amp|lt|gt|quot|nbsp|#39);/g, (_, name: string) => entities[name] ?? ' ')
    .replace(/\s+/g, ' ')
    .replace(/ (?=[,;:.!?](?:\s|$))/g, '')
    .trim();
}

const entities: { readonly [name: string]: string } = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  nbsp: ' ',
  '#39': "'",
};

/** Short, and without the end of a sentence: a heading, a byline, a caption, a cell. */
function isHeading(paragraph: string): boolean {
  const letters = paragraph.replace(/[^\p{L}]/gu, '');
  if (letters.length < 2) return true;
  const isUpper = letters === letters.toUpperCase() && letters !== letters.toLowerCase();
  const endsSentence = /[.!?…。！？]["'”’»)\]]*$/u.test(paragraph);
  if (isUpper && paragraph.length < 120) return true;
  return !endsSentence && paragraph.length < 200;
}
