/**
 * Fills a JSON Schema from its own defaults, constants, examples and enums, and otherwise from the
 * words of a text. It understands what schemas of answers use; what it cannot fill it says.
 */

import { extractSentences, keywordsOf } from './extract.ts';

type Schema = { readonly [key: string]: unknown };

/** What the values are made of. */
export interface FillSource {
  readonly text: string;
  /** Sentences of the text, best first picked, in its order. */
  readonly sentences: readonly string[];
  readonly keywords: readonly string[];
}

/** A schema that cannot be filled; the message names the place. */
export class FillError extends Error {}

interface Context {
  readonly root: Schema;
  readonly source: FillSource;
  readonly path: string;
  readonly depth: number;
  /** Number of the array item that is being filled, so that items differ. */
  readonly item: number;
}

/** References and nesting deeper than this are a schema that contains itself. */
const depthMax = 24;

export function fillSource(text: string): FillSource {
  const sentences = extractSentences(text, { sentencesMax: 5, wordsMax: 150 });
  const fallback = text.replace(/\s+/g, ' ').trim();
  return {
    text: fallback,
    sentences: sentences.length > 0 ? sentences : [fallback.slice(0, 300)],
    keywords: keywordsOf(text, 12),
  };
}

/** @throws FillError when no value is known that fits */
export function fillSchema(schema: unknown, source: FillSource): unknown {
  const root = (typeof schema === 'object' && schema !== null ? schema : {}) as Schema;
  return fill(schema, { root, source, path: '', depth: 0, item: 0 });
}

function fill(schema: unknown, context: Context): unknown {
  if (context.depth > depthMax) throw new FillError(`${where(context)} never ends`);
  if (schema === false) throw new FillError(`${where(context)} allows no value`);
  if (schema === true || typeof schema !== 'object' || schema === null)
    return firstSentence(context);
  const here = resolved(schema as Schema, context);
  for (const key of ['const', 'default']) if (key in here) return here[key];
  for (const key of ['enum', 'examples']) {
    const values = here[key];
    if (Array.isArray(values) && values.length > 0) return values[0];
  }
  return fillType(typeOf(here), here, context);
}

function fillType(type: string, schema: Schema, context: Context): unknown {
  switch (type) {
    case 'object':
      return fillObject(schema, context);
    case 'array':
      return fillArray(schema, context);
    case 'integer':
    case 'number':
      return fillNumber(schema, type);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return fillString(schema, context);
  }
}

/** References followed, `allOf` merged, the first branch of `anyOf` and `oneOf` that is not null. */
function resolved(schema: Schema, context: Context, depth = 0): Schema {
  if (depth > depthMax) throw new FillError(`${where(context)} refers to itself`);
  const { $ref, allOf, anyOf, oneOf, ...rest } = schema;
  const parts: unknown[] = [];
  if (typeof $ref === 'string') parts.push(atPointer($ref, context));
  if (Array.isArray(allOf)) parts.push(...(allOf as unknown[]));
  for (const branches of [anyOf, oneOf]) {
    if (!Array.isArray(branches)) continue;
    const all = branches as Schema[];
    parts.push(all.find((branch) => branch['type'] !== 'null') ?? all[0]);
  }
  return parts.reduce<Schema>(
    (merged, part) => mergedSchemas(merged, resolved(part as Schema, context, depth + 1)),
    rest,
  );
}

function mergedSchemas(left: Schema, right: Schema): Schema {
  const merged: { [key: string]: unknown } = { ...right, ...left };
  if (left['properties'] && right['properties']) {
    merged['properties'] = {
      ...(right['properties'] as Schema),
      ...(left['properties'] as Schema),
    };
  }
  if (Array.isArray(left['required']) && Array.isArray(right['required'])) {
    merged['required'] = [...(left['required'] as unknown[]), ...(right['required'] as unknown[])];
  }
  return merged;
}

function atPointer(pointer: string, context: Context): unknown {
  if (!pointer.startsWith('#')) throw new FillError(`${where(context)} refers to ${pointer}`);
  let target: unknown = context.root;
  for (const part of pointer.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    target = (target as Schema | undefined)?.[key];
  }
  if (target === undefined) throw new FillError(`${where(context)} refers to a missing ${pointer}`);
  return target;
}

function typeOf(schema: Schema): string {
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) {
    return (type as string[]).find((name) => name !== 'null') ?? 'null';
  }
  if ('properties' in schema) return 'object';
  if ('items' in schema || 'prefixItems' in schema) return 'array';
  return 'minimum' in schema || 'maximum' in schema ? 'number' : 'string';
}

function fillObject(schema: Schema, context: Context): unknown {
  const properties = (schema['properties'] ?? {}) as Schema;
  const required = Array.isArray(schema['required']) ? (schema['required'] as string[]) : [];
  const value: { [key: string]: unknown } = {};
  for (const name of new Set([...Object.keys(properties), ...required])) {
    const inner = { ...context, path: `${context.path}.${name}`, depth: context.depth + 1 };
    try {
      value[name] = fill(properties[name] ?? schema['additionalProperties'] ?? true, inner);
    } catch (error) {
      // An optional property that cannot be filled is left out.
      if (!(error instanceof FillError) || required.includes(name)) throw error;
    }
  }
  return value;
}

function fillArray(schema: Schema, context: Context): unknown[] {
  const prefix = Array.isArray(schema['prefixItems']) ? (schema['prefixItems'] as unknown[]) : [];
  const least = numberAt(schema, 'minItems') ?? 0;
  const most = numberAt(schema, 'maxItems') ?? Number.POSITIVE_INFINITY;
  const wanted = schema['items'] === false ? 0 : isObjectSchema(schema['items'], context) ? 1 : 3;
  const length = Math.max(least, prefix.length, Math.min(wanted, most));
  const items: unknown[] = [];
  const seen = new Set<string>();
  for (let item = 0; item < length; item += 1) {
    const inner = { ...context, path: `${context.path}[${item}]`, depth: context.depth + 1, item };
    const value = fill(prefix[item] ?? schema['items'] ?? true, inner);
    const key = JSON.stringify(value);
    // A short text has no three different things to say.
    if (seen.has(key) && items.length >= least && item >= prefix.length) break;
    seen.add(key);
    items.push(value);
  }
  return items;
}

function isObjectSchema(schema: unknown, context: Context): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  return typeOf(resolved(schema as Schema, context)) === 'object';
}

function fillNumber(schema: Schema, type: string): number {
  const step = numberAt(schema, 'multipleOf') ?? (type === 'integer' ? 1 : 0);
  const above = numberAt(schema, 'exclusiveMinimum');
  const below = numberAt(schema, 'exclusiveMaximum');
  const least = numberAt(schema, 'minimum') ?? (above === null ? null : above + (step || 1e-6));
  const most = numberAt(schema, 'maximum') ?? (below === null ? null : below - (step || 1e-6));
  const value = Math.min(Math.max(1, least ?? 1), most ?? Number.POSITIVE_INFINITY);
  if (step === 0) return value;
  const up = Math.ceil(value / step) * step;
  return most !== null && up > most ? Math.floor(value / step) * step : up;
}

const formats: { readonly [format: string]: string } = {
  'date-time': '1970-01-01T00:00:00Z',
  date: '1970-01-01',
  time: '00:00:00Z',
  email: 'nobody@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

function fillString(schema: Schema, context: Context): string {
  const format = typeof schema['format'] === 'string' ? formats[schema['format']] : undefined;
  const least = numberAt(schema, 'minLength') ?? 0;
  const most = numberAt(schema, 'maxLength') ?? 4000;
  const pattern = typeof schema['pattern'] === 'string' ? new RegExp(schema['pattern'], 'u') : null;
  for (const candidate of format === undefined ? candidates(context) : [format]) {
    const text = fitted(candidate, least, most);
    if (pattern === null || pattern.test(text)) return text;
  }
  throw new FillError(
    `${where(context)} wants a text of a pattern that aiq-offline cannot make up`,
  );
}

/** Most fitting first: by what the property is called, then whatever may match a pattern. */
function candidates(context: Context): string[] {
  const { source, item } = context;
  const name =
    context.path
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
function titleOf(text: string): string {
  const words = text.split(' ');
  return words.length <= 8 ? text : `${words.slice(0, 8).join(' ')}…`;
}

function slugOf(text: string): string {
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

function firstSentence({ source }: Context): string {
  return source.sentences[0] ?? '';
}

function numberAt(schema: Schema, key: string): number | null {
  return typeof schema[key] === 'number' ? schema[key] : null;
}

function where({ path }: Context): string {
  return path === '' ? 'the schema' : `the schema at ${path.replace(/^\./, '')}`;
}
