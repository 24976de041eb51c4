/**
 * A light reading of TypeScript: which characters are comments and which are inside strings. The
 * compiler in use ships no API for this, and our formatter keeps sources regular enough.
 */

export interface SourceText {
  /** The source with comments blanked; same length. */
  readonly code: string;
  /** `code` with the insides of strings, templates and regular expressions blanked too. */
  readonly bare: string;
}

interface Token {
  readonly kind: 'comment' | 'string' | 'regex' | 'code';
  readonly text: string;
}

const tokenPattern =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)|(?<regex>(?<=(?:^|[=(,:!&|?{};[\n]|return|=>)\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)/g;

/**
 * A template counts as one string, `${…}` included, and ends at the next backtick: a nested one is
 * read as two with code between them, which loses nothing that these tests look for.
 */
export function readSourceText(source: string): SourceText {
  let code = '';
  let bare = '';
  for (const { kind, text } of tokensOf(source)) {
    code += kind === 'comment' ? blank(text) : text;
    bare += kind === 'code' ? text : kind === 'comment' ? blank(text) : hollow(text);
  }
  return { code, bare };
}

function* tokensOf(source: string): Generator<Token> {
  let end = 0;
  for (const match of source.matchAll(tokenPattern)) {
    yield { kind: 'code', text: source.slice(end, match.index) };
    const { comment, string } = match.groups ?? {};
    const kind = comment !== undefined ? 'comment' : string !== undefined ? 'string' : 'regex';
    yield { kind, text: match[0] };
    end = match.index + match[0].length;
  }
  yield { kind: 'code', text: source.slice(end) };
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

function hollow(text: string): string {
  return `${text[0]}${blank(text.slice(1, -1))}${text.at(-1)}`;
}
