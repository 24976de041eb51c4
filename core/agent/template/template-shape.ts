/** What is known about a template's variables before any job exists: JSON Schemas walked by name. */

import type { Agent, JsonObject } from '../agent.ts';

/** A JSON Schema and the one that its references point into. */
export interface Shape {
  readonly schema: JsonObject;
  readonly root: JsonObject;
}

/** Nothing is known: every name may be there. */
export const unknownShape: Shape = { schema: {}, root: {} };

/** What a name leads to. `optional`: a job may lack it, and the schema fills in no default. */
export type Member =
  | { readonly found: true; readonly shape: Shape; readonly optional: boolean }
  | { readonly found: false; readonly known: readonly string[] };

const text: JsonObject = { type: 'string' };

/** The variables at the top of an agent's templates; `output` exists only once there is an answer. */
export function variablesOf(agent: Agent, withOutput: boolean): Shape {
  const input: Shape = { schema: agent.input.schema, root: agent.input.schema };
  const output: JsonObject = agent.output.schema ?? {};
  const properties: { [name: string]: JsonObject } = {
    input: { [embedded]: input },
    job: objectOf('id', 'shortId', 'agent', 'attempt', 'source', 'createdAt', 'fence'),
    agent: objectOf('name', 'version'),
    now: text,
  };
  if (withOutput) {
    const structured = agent.output.format === 'json' || agent.output.format === 'files';
    properties['output'] = structured ? { [embedded]: { schema: output, root: output } } : text;
  }
  const schema = { type: 'object', properties, required: Object.keys(properties) };
  return { schema, root: schema };
}

/** Marks a schema that brings the root of its own references along. */
const embedded = Symbol('embedded');

function objectOf(...names: string[]): JsonObject {
  const properties = Object.fromEntries(names.map((name) => [name, text]));
  return { type: 'object', properties, required: names };
}

const referencesMax = 16;

/** Follows `$ref` inside the schema. */
function settle(shape: Shape): Shape {
  let { schema, root } = shape;
  for (let step = 0; step < referencesMax; step++) {
    const inner = (schema as { [embedded]?: Shape })[embedded];
    if (inner !== undefined) ({ schema, root } = inner);
    const { $ref: reference } = schema;
    if (typeof reference !== 'string') return { schema, root };
    let target: unknown = root;
    for (const part of reference.split('/').slice(1)) {
      target = (target as JsonObject | undefined)?.[part];
    }
    if (typeof target !== 'object' || target === null) return unknownShape;
    schema = target as JsonObject;
  }
  return unknownShape;
}

const openKeywords = ['patternProperties', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas'];

/** The member of a value: an object's property, a list's item or length. */
export function memberOf(shape: Shape, name: string): Member {
  const { schema, root } = settle(shape);
  const properties = (schema['properties'] ?? {}) as { [name: string]: JsonObject };
  if (Object.hasOwn(properties, name)) {
    const child = properties[name] ?? {};
    const required = (schema['required'] ?? []) as readonly string[];
    const optional = !required.includes(name) && child['default'] === undefined;
    return { found: true, shape: shapeOf(child, root), optional };
  }
  const type = typeOf(schema);
  if (type === 'array') {
    if (name === 'length') return { found: true, shape: shapeOf(text, root), optional: false };
    if (/^\d+$/.test(name)) return { found: true, shape: itemsOf(shape), optional: true };
    return { found: false, known: ['length'] };
  }
  const closed = type === 'object' ? !isOpen(schema) : type !== null;
  if (closed) return { found: false, known: Object.keys(properties) };
  const rest = schema['additionalProperties'];
  const child = typeof rest === 'object' && rest !== null ? (rest as JsonObject) : {};
  return { found: true, shape: shapeOf(child, root), optional: true };
}

/** What `each` hands out: a list's items or an object's values. */
export function itemsOf(shape: Shape): Shape {
  const { schema, root } = settle(shape);
  const items = typeOf(schema) === 'array' ? schema['items'] : schema['additionalProperties'];
  return typeof items === 'object' && items !== null
    ? shapeOf(items as JsonObject, root)
    : unknownShape;
}

/** `object`, `array`, `text` for everything that prints as it is, or null when nothing is known. */
export function kindOf(shape: Shape): 'object' | 'array' | 'text' | null {
  const type = typeOf(settle(shape).schema);
  return type === 'object' || type === 'array' || type === null ? type : 'text';
}

function shapeOf(schema: JsonObject, root: JsonObject): Shape {
  return typeof schema === 'object' ? { schema, root } : unknownShape;
}

/**
 * True when a job may bring properties that the schema does not list and an author may count on.
 * Leaving `additionalProperties` out is not enough: JSON Schema then allows everything, typos too.
 */
function isOpen(schema: JsonObject): boolean {
  const rest = schema['additionalProperties'];
  if (openKeywords.some((keyword) => keyword in schema)) return true;
  return rest === undefined ? !('properties' in schema) : rest !== false;
}

function typeOf(schema: JsonObject): string | null {
  const declared = [schema['type'] ?? []].flat().filter((name) => name !== 'null') as string[];
  if (declared.length === 1) return declared[0] ?? null;
  if (declared.length > 1) return null;
  if ('properties' in schema) return 'object';
  return 'enum' in schema || 'const' in schema ? 'string' : null;
}
