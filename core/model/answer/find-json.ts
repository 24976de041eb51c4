/**
 * Finds JSON in a model's answer by parsing: at each bracket that may begin a value, so that prose
 * with brackets, fences of any length and fences inside strings need no rules of their own. What is
 * put right is closed already: commas, quotes, raw line ends in a text, comments, `True`. A missing
 * end is never made up, nor is anything dropped.
 */

export interface FoundJson {
  /** Valid JSON texts, in order; objects when there is any, else arrays. Each is complete. */
  readonly texts: readonly string[];
  /** The last one broke off before its end. */
  readonly isCut: boolean;
}

const depthMax = 256;
/** Parsing begins anew at each bracket: hostile text must not make that quadratic. */
const workFactor = 4;
const failureWork = 50;

export function findJson(answer: string): FoundJson {
  const whole = answer.replace(/^\uFEFF/, '').trim();
  if (isJson(whole)) return { texts: [whole], isCut: false };
  const texts: string[] = [];
  const budget = { left: workFactor * whole.length + 10_000 };
  const starts = /[{[]/g;
  for (let start = starts.exec(whole); start !== null; start = starts.exec(whole)) {
    const reader = new LooseReader(whole, start.index, budget);
    const text = reader.read();
    if (text === null) budget.left -= failureWork;
    if (budget.left < 0) return { texts: [], isCut: false };
    if (text !== null) {
      const isFilledObject = text.startsWith('{') && reader.hasMember;
      if (isFilledObject || isOnOwnLines(whole, start.index, reader.at)) texts.push(text);
      starts.lastIndex = reader.at;
    } else if (reader.hasMember) {
      // JSON that cannot be put right: no part of it is an answer. Without an end it is cut.
      const end = balancedEnd(whole, start.index);
      if (end === -1) return { texts, isCut: true };
      starts.lastIndex = end;
    }
  }
  const objects = texts.filter((text) => text.startsWith('{'));
  return { texts: [...new Set(objects.length > 0 ? objects : texts)], isCut: false };
}

/** Of a line; more white space at its ends is no use that anybody makes. */
const marginChars = 64;

/** A list or something empty in the middle of a line is a mark of prose, such as `[1]` or `{}`. */
function isOnOwnLines(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - marginChars), start);
  const isFirst = /^[^\S\n]*$/.test(before) && start <= marginChars;
  const isBegun = isFirst || /\n[^\S\n]*$/.test(before);
  return isBegun && /^[^\S\n]*(?:\n|$)/.test(text.slice(end, end + marginChars));
}

/** Where the bracket at `start` is closed, by counting; -1 when it never is. */
function balancedEnd(text: string, start: number): number {
  const tokens = /"(?:[^"\\]|\\[^])*(?:"|$)|[{}[\]]/g;
  tokens.lastIndex = start;
  let depth = 0;
  for (let token = tokens.exec(text); token !== null; token = tokens.exec(text)) {
    if (token[0].startsWith('"')) continue;
    depth += /[{[]/.test(token[0]) ? 1 : -1;
    if (depth === 0) return tokens.lastIndex;
  }
  return -1;
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Thrown at each bracket of prose, so without a stack of its own. */
const notJson = new Error('no JSON');

const literals = new Map([
  ['true', 'true'],
  ['false', 'false'],
  ['null', 'null'],
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
]);
const closingQuotes: { readonly [opening: string]: string } = {
  '"': '"',
  "'": "'",
  '“': '”',
  '‘': '’',
};

/** Reads one object or array and writes it as strict JSON. */
class LooseReader {
  at: number;
  readonly #text: string;
  readonly #budget: { left: number };
  readonly #out: string[] = [];
  #members = 0;

  constructor(text: string, at: number, budget: { left: number }) {
    this.#text = text;
    this.at = at;
    this.#budget = budget;
  }

  /** False for a bracket of prose. */
  get hasMember(): boolean {
    return this.#members > 0;
  }

  /** Null when it is none; `at` is behind it otherwise. */
  read(): string | null {
    try {
      this.#value(0);
      return this.#out.join('');
    } catch (error) {
      if (error !== notJson) throw error;
      return null;
    }
  }

  #value(depth: number): void {
    const first = this.#peek();
    if (first === '{') this.#list(depth, '}', () => this.#member(depth));
    else if (first === '[') this.#list(depth, ']', () => this.#value(depth + 1));
    else if (first in closingQuotes) this.#string();
    else this.#scalar();
  }

  #list(depth: number, end: string, item: () => void): void {
    // So deep is no answer, wherever it begins.
    if (depth === depthMax) this.#use(Number.POSITIVE_INFINITY);
    this.#out.push(this.#take());
    for (let count = 0; this.#peek() !== end; count += 1) {
      if (count > 0) {
        const hasComma = this.#peek() === ',';
        if (hasComma) this.#take();
        // A comma before the end is one too many; between two members one may be missing.
        if (this.#peek() === end) break;
        // A bare word behind a text is the rest of a text with quotes in it.
        if (!hasComma && end === ']' && /[A-Z]/i.test(this.#peek())) throw notJson;
        this.#out.push(',');
      }
      item();
      this.#members += 1;
    }
    this.#out.push(this.#take());
  }

  #member(depth: number): void {
    if (this.#peek() in closingQuotes) {
      this.#string();
    } else {
      this.#out.push(JSON.stringify(this.#match(/[A-Za-z_$][\w$-]*/y)));
    }
    if (this.#peek() !== ':') throw notJson;
    this.#out.push(this.#take());
    // A key with its colon is no prose any more.
    this.#members += 1;
    this.#value(depth + 1);
  }

  #scalar(): void {
    const text = this.#match(/(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z]+)(?![\w.])/y);
    const literal = /^[A-Z]/i.test(text) ? literals.get(text) : text;
    if (literal === undefined) throw notJson;
    this.#out.push(literal);
  }

  #string(): void {
    const closing = closingQuotes[this.#take()] ?? '';
    let content = '';
    for (;;) {
      const plain = this.#match(/[^"'”’\\\p{Cc}]*/uy);
      this.#use(plain.length + 1);
      content += plain;
      const char = this.#text[this.at];
      if (char === undefined) throw notJson;
      if (char === closing) break;
      content += char === '\\' ? this.#escape() : JSON.stringify(this.#take()).slice(1, -1);
    }
    this.#take();
    this.#out.push(`"${content}"`);
  }

  #escape(): string {
    const text = this.#match(/\\(?:["\\/bfnrt']|u[0-9a-fA-F]{4})/y);
    return text === "\\'" ? "'" : text;
  }

  /** The next character that is neither white space nor in a comment. */
  #peek(): string {
    this.#use(this.#match(/(?:[\s\uFEFF]+|\/\/[^\n]*|\/\*[^]*?\*\/)*/y).length + 1);
    const char = this.#text[this.at];
    if (char === undefined) throw notJson;
    return char;
  }

  #take(): string {
    const taken = this.#text[this.at] ?? '';
    this.at += 1;
    return taken;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text);
    if (match === null) throw notJson;
    this.at = pattern.lastIndex;
    return match[0];
  }

  #use(work: number): void {
    this.#budget.left -= work;
    if (this.#budget.left < 0) throw notJson;
  }
}
