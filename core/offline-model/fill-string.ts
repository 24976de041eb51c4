/** Strings that fit a schema, made of the words of a text, and the types that filling shares. */

export type Schema = { readonly [key: string]: unknown };

/** What the values are made of. */
export interface FillSource {
  readonly text: string;
  /** The best sentences of the text, in its order. */
  readonly sentences: readonly string[];
  readonly keywords: readonly string[];
}

/** A schema that cannot be filled; the message names the property. */
export class FillError extends Error {}

/** A position in a schema. */
export interface FillPosition {
  /** The whole schema, which references point into. */
  readonly root: Schema;
  readonly source: FillSource;
  /** Of the property, such as `.tags[0]`. */
  readonly path: string;
  readonly depth: number;
  /** Index of the array item that is being filled, so that items differ. */
  readonly item: number;
}

const formats: { readonly [format: string]: string } = {
  'date-time': '1970-01-01T00:00:00Z',
  date: '1970-01-01',
  time: '00:00:00Z',
  email: 'nobody@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/** @throws FillError when no candidate matches the pattern */
export function fillString(schema: Schema, position: FillPosition): string {
  const format = typeof schema['format'] === 'string' ? formats[schema['format']] : undefined;
  const pattern = typeof schema['pattern'] === 'string' ? new RegExp(schema['pattern'], 'u') : null;
  const least = numberAt(schema, 'minLength') ?? 0;
  const most = numberAt(schema, 'maxLength') ?? 4000;
  for (const candidate of format === undefined ? candidates(position) : [format]) {
    const text = fitted(candidate, least, most);
    if (pattern === null || pattern.test(text)) return text;
  }
  throw new FillError(
    `${nameOf(position)} wants a text of a pattern that aiq-offline cannot make up`,
  );
}

/** Best first: by the name of the property, then whatever may match a pattern. */
function candidates({ source, item, path }: FillPosition): string[] {
  const name = path.replace(/\[\d+\]$/, '').replace(/^.*\./, '');
  const sentence = source.sentences[item % source.sentences.length] ?? source.text;
  const keyword = source.keywords[item % Math.max(1, source.keywords.length)] ?? 'text';
  const slug = slugOf(source.text) || 'text';
  const whole = source.sentences.join(' ');
  const byName: readonly (readonly [RegExp, string])[] = [
    [/^(?:path|file|filename)$/i, `${item === 0 ? slug : `${slug}-${item + 1}`}.md`],
    [/tag|keyword|topic|category|label/i, keyword],
    [/title|name|subject|heading/i, titleOf(source.text)],
    [/summary|content|answer|text|body|description|abstract/i, whole],
  ];
  const named = byName.find(([names]) => names.test(name))?.[1] ?? sentence;
  const texts = [named, whole, sentence, keyword, slug, `${slug}.md`, keyword.toUpperCase()];
  return [...texts, String(item + 1), '1970-01-01'];
}

/** The beginning, up to eight words. */
export function titleOf(text: string): string {
  const words = text.split(' ');
  return words.length <= 8 ? text : `${words.slice(0, 8).join(' ')}…`;
}

/** Up to 40 characters of a-z, 0-9 and dashes; empty for a text without any of them. */
export function slugOf(text: string): string {
  const plain = text.normalize('NFKD').toLowerCase();
  return plain
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
}

/** Cut at a word when too long, repeated when too short. */
function fitted(text: string, least: number, most: number): string {
  let whole = text;
  while (Array.from(whole).length < least) whole = whole === '' ? '-' : `${whole} ${text}`;
  const signs = Array.from(whole);
  if (signs.length <= most) return whole;
  const cut = signs.slice(0, most).join('');
  const atWord = cut.replace(/\s+\S*$/, '');
  return Array.from(atWord).length >= least ? atWord : cut;
}

export function numberAt(schema: Schema, key: string): number | null {
  return typeof schema[key] === 'number' ? schema[key] : null;
}

/** Names a position for a message. */
export function nameOf({ path }: FillPosition): string {
  return path === '' ? 'the schema' : `the schema at ${path.replace(/^\./, '')}`;
}
