/**
 * Fills a JSON Schema from its own defaults, constants, examples and enums, and otherwise from the
 * words of a text. It understands what schemas of answers use; what it cannot fill it says.
 */

import { extractSentences, keywordsOf } from './extract.ts';
import {
  FillError,
  type FillPlace,
  type FillSource,
  fillString,
  numberAt,
  type Schema,
  where,
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

function fill(schema: unknown, place: FillPlace): unknown {
  if (place.depth > depthMax) throw new FillError(`${where(place)} never ends`);
  if (schema === false) throw new FillError(`${where(place)} allows no value`);
  if (schema === true || typeof schema !== 'object' || schema === null) return firstSentence(place);
  const here = resolved(schema as Schema, place);
  for (const key of ['const', 'default']) if (key in here) return here[key];
  for (const key of ['enum', 'examples']) {
    const values = here[key];
    if (Array.isArray(values) && values.length > 0) return values[0];
  }
  return fillType(typeOf(here), here, place);
}

function fillType(type: string, schema: Schema, place: FillPlace): unknown {
  switch (type) {
    case 'object':
      return fillObject(schema, place);
    case 'array':
      return fillArray(schema, place);
    case 'integer':
    case 'number':
      return fillNumber(schema, type);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return fillString(schema, place);
  }
}

/** References followed, `allOf` merged, the first branch of `anyOf` and `oneOf` that is not null. */
function resolved(schema: Schema, place: FillPlace, depth = 0): Schema {
  if (depth > depthMax) throw new FillError(`${where(place)} refers to itself`);
  const { $ref, allOf, anyOf, oneOf, ...rest } = schema;
  const parts: unknown[] = [];
  if (typeof $ref === 'string') parts.push(atPointer($ref, place));
  if (Array.isArray(allOf)) parts.push(...(allOf as unknown[]));
  for (const branches of [anyOf, oneOf]) {
    if (!Array.isArray(branches)) continue;
    const all = branches as Schema[];
    parts.push(all.find((branch) => branch['type'] !== 'null') ?? all[0]);
  }
  return parts.reduce<Schema>(
    (merged, part) => mergedSchemas(merged, resolved(part as Schema, place, depth + 1)),
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

function atPointer(pointer: string, place: FillPlace): unknown {
  if (!pointer.startsWith('#')) throw new FillError(`${where(place)} refers to ${pointer}`);
  let target: unknown = place.root;
  for (const part of pointer.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    target = (target as Schema | undefined)?.[key];
  }
  if (target === undefined) throw new FillError(`${where(place)} refers to a missing ${pointer}`);
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

function fillObject(schema: Schema, place: FillPlace): unknown {
  const properties = (schema['properties'] ?? {}) as Schema;
  const required = Array.isArray(schema['required']) ? (schema['required'] as string[]) : [];
  const value: { [key: string]: unknown } = {};
  for (const name of new Set([...Object.keys(properties), ...required])) {
    const inner = { ...place, path: `${place.path}.${name}`, depth: place.depth + 1 };
    try {
      value[name] = fill(properties[name] ?? schema['additionalProperties'] ?? true, inner);
    } catch (error) {
      // An optional property that cannot be filled is left out.
      if (!(error instanceof FillError) || required.includes(name)) throw error;
    }
  }
  return value;
}

function fillArray(schema: Schema, place: FillPlace): unknown[] {
  const prefix = Array.isArray(schema['prefixItems']) ? (schema['prefixItems'] as unknown[]) : [];
  const least = numberAt(schema, 'minItems') ?? 0;
  const most = numberAt(schema, 'maxItems') ?? Number.POSITIVE_INFINITY;
  const wanted = schema['items'] === false ? 0 : isObjectSchema(schema['items'], place) ? 1 : 3;
  const length = Math.max(least, prefix.length, Math.min(wanted, most));
  const items: unknown[] = [];
  const seen = new Set<string>();
  for (let item = 0; item < length; item += 1) {
    const inner = { ...place, path: `${place.path}[${item}]`, depth: place.depth + 1, item };
    const value = fill(prefix[item] ?? schema['items'] ?? true, inner);
    const key = JSON.stringify(value);
    // A short text has no three different things to say.
    if (seen.has(key) && items.length >= least && item >= prefix.length) break;
    seen.add(key);
    items.push(value);
  }
  return items;
}

function isObjectSchema(schema: unknown, place: FillPlace): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  return typeOf(resolved(schema as Schema, place)) === 'object';
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

function firstSentence({ source }: FillPlace): string {
  return source.sentences[0] ?? '';
}
