/**
 * Fills a JSON Schema: with its own constants, defaults, enums and examples, otherwise with words of a
 * text. What it cannot fill is a FillError.
 */

import { extractSentences, keywordsOf } from './extract.ts';
import {
  FillError,
  type FillPosition,
  type FillSource,
  fillString,
  nameOf,
  numberAt,
  type Schema,
} from './fill-string.ts';

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

function fill(schema: unknown, position: FillPosition): unknown {
  if (position.depth > depthMax) throw new FillError(`${nameOf(position)} never ends`);
  if (schema === false) throw new FillError(`${nameOf(position)} allows no value`);
  if (schema === true || typeof schema !== 'object' || schema === null)
    return firstSentence(position);
  const here = resolved(schema as Schema, position);
  for (const key of ['const', 'default']) if (key in here) return here[key];
  for (const key of ['enum', 'examples']) {
    const values = here[key];
    if (Array.isArray(values) && values.length > 0) return values[0];
  }
  return fillType(typeOf(here), here, position);
}

function fillType(type: string, schema: Schema, position: FillPosition): unknown {
  switch (type) {
    case 'object':
      return fillObject(schema, position);
    case 'array':
      return fillArray(schema, position);
    case 'integer':
    case 'number':
      return fillNumber(schema, type);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return fillString(schema, position);
  }
}

/** References followed, `allOf` merged, the first branch of `anyOf` and `oneOf` that is not null. */
function resolved(schema: Schema, position: FillPosition, depth = 0): Schema {
  if (depth > depthMax) throw new FillError(`${nameOf(position)} refers to itself`);
  const { $ref, allOf, anyOf, oneOf, ...rest } = schema;
  const parts = [
    ...(typeof $ref === 'string' ? [atPointer($ref, position)] : []),
    ...listOf(allOf),
    ...[anyOf, oneOf].flatMap(
      (branches) => listOf(branches).find(isNotNull) ?? listOf(branches).slice(0, 1),
    ),
  ];
  return parts.reduce<Schema>(
    (merged, part) => mergedSchemas(merged, resolved(part as Schema, position, depth + 1)),
    rest,
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isNotNull(branch: unknown): boolean {
  return (branch as Schema)['type'] !== 'null';
}

function mergedSchemas(left: Schema, right: Schema): Schema {
  const bothHave = (key: string): boolean => key in left && key in right;
  return {
    ...right,
    ...left,
    ...(bothHave('properties') && {
      properties: { ...(right['properties'] as Schema), ...(left['properties'] as Schema) },
    }),
    ...(bothHave('required') && {
      required: [...listOf(left['required']), ...listOf(right['required'])],
    }),
  };
}

function atPointer(pointer: string, position: FillPosition): unknown {
  if (!pointer.startsWith('#')) throw new FillError(`${nameOf(position)} refers to ${pointer}`);
  let target: unknown = position.root;
  for (const part of pointer.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    target = (target as Schema | undefined)?.[key];
  }
  if (target === undefined)
    throw new FillError(`${nameOf(position)} refers to a missing ${pointer}`);
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

function fillObject(schema: Schema, position: FillPosition): unknown {
  const properties = (schema['properties'] ?? {}) as Schema;
  const required = listOf(schema['required']) as readonly string[];
  const value: { [key: string]: unknown } = {};
  for (const name of new Set([...Object.keys(properties), ...required])) {
    const inner = { ...position, path: `${position.path}.${name}`, depth: position.depth + 1 };
    try {
      value[name] = fill(properties[name] ?? schema['additionalProperties'] ?? true, inner);
    } catch (error) {
      // An optional property that cannot be filled is left out.
      if (!(error instanceof FillError) || required.includes(name)) throw error;
    }
  }
  return value;
}

function fillArray(schema: Schema, position: FillPosition): unknown[] {
  const prefix = listOf(schema['prefixItems']);
  const least = numberAt(schema, 'minItems') ?? 0;
  const most = numberAt(schema, 'maxItems') ?? Number.POSITIVE_INFINITY;
  const wanted = schema['items'] === false ? 0 : isObjectSchema(schema['items'], position) ? 1 : 3;
  const length = Math.max(least, prefix.length, Math.min(wanted, most));
  const items: unknown[] = [];
  const seen = new Set<string>();
  for (let item = 0; item < length; item += 1) {
    const inner = {
      ...position,
      path: `${position.path}[${item}]`,
      depth: position.depth + 1,
      item,
    };
    const value = fill(prefix[item] ?? schema['items'] ?? true, inner);
    const key = JSON.stringify(value);
    // A short text has no three different things to say.
    if (seen.has(key) && items.length >= least && item >= prefix.length) break;
    seen.add(key);
    items.push(value);
  }
  return items;
}

function isObjectSchema(schema: unknown, position: FillPosition): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  return typeOf(resolved(schema as Schema, position)) === 'object';
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

function firstSentence({ source }: FillPosition): string {
  return source.sentences[0] ?? '';
}
