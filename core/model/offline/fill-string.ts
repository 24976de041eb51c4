/** Finds a string that fits its schema among the words of the text, and the terms that filling shares. */

export type Schema = { readonly [key: string]: unknown };

/** What the values are made of. */
export interface FillSource {
  readonly text: string;
  /** Sentences of the text, best first picked, in its order. */
  readonly sentences: readonly string[];
  readonly keywords: readonly string[];
}

/** A schema that cannot be filled; the message names the place. */
export class FillError extends Error {}

export interface FillPlace {
  /** The whole schema, which references point into. */
  readonly root: Schema;
  readonly source: FillSource;
  readonly path: string;
  readonly depth: number;
  /** Number of the array item that is being filled, so that items differ. */
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

export function fillString(schema: Schema, place: FillPlace): string {
  const format = typeof schema['format'] === 'string' ? formats[schema['format']] : undefined;
  const least = numberAt(schema, 'minLength') ?? 0;
  const most = numberAt(schema, 'maxLength') ?? 4000;
  const pattern = typeof schema['pattern'] === 'string' ? new RegExp(schema['pattern'], 'u') : null;
  for (const candidate of format === undefined ? candidates(place) : [format]) {
    const text = fitted(candidate, least, most);
    if (pattern === null || pattern.test(text)) return text;
  }
  throw new FillError(`${where(place)} wants a text of a pattern that aiq-offline cannot make up`);
}

/** Most fitting first: by what the property is called, then whatever may match a pattern. */
function candidates(place: FillPlace): string[] {
  const { source, item } = place;
  const name =
    place.path
      .replace(/\[\d+\]$/, '')
      .split('.')
      .at(-1) ?? '';
  const sentence = source.sentences[item % source.sentences.length] ?? source.text;
  const keyword = source.keywords[item % Math.max(1, source.keywords.length)] ?? 'text';
  const slug = slugOf(source.text) || 'text';
  const whole = source.sentences.join(' ');
  const texts = [
    whole,
    sentence,
    keyword,
    slug,
    `${slug}.md`,
    keyword.toUpperCase(),
    String(item + 1),
    '1970-01-01',
  ];
  const first = /^(?:path|file|filename)$/i.test(name)
    ? `${item === 0 ? slug : `${slug}-${item + 1}`}.md`
    : /tag|keyword|topic|category|label/i.test(name)
      ? keyword
      : /title|name|subject|heading/i.test(name)
        ? titleOf(source.text)
        : /summary|content|answer|text|body|description|abstract/i.test(name)
          ? whole
          : sentence;
  return [first, ...texts];
}

/** The beginning, up to eight words: enough to recognise the text by. */
export function titleOf(text: string): string {
  const words = text.split(' ');
  return words.length <= 8 ? text : `${words.slice(0, 8).join(' ')}…`;
}

export function slugOf(text: string): string {
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  return plain.slice(0, 40).replace(/^-+|-+$/g, '');
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

/** Names a place for a message. */
export function where({ path }: FillPlace): string {
  return path === '' ? 'the schema' : `the schema at ${path.replace(/^\./, '')}`;
}
