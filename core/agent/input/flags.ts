/** Input properties as command-line flags: what to offer, and texts to typed values. */

import { isKept, lostText, readJson, shorten } from '../../yaml/index.ts';
import type { Agent, InputProblem, JsonObject } from '../agent.ts';
import { lostProblems } from '../schema/explain.ts';
import { isSecret } from '../schema/secrets.ts';

export type FlagType = 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object';

/** One property of an input schema, as a flag. */
export interface SchemaFlag {
  readonly property: string;
  /** In kebab-case, without dashes in front. */
  readonly flag: string;
  /** Other spellings to accept: the property's own name where it differs. */
  readonly aliases: readonly string[];
  /** `object` also for everything that only JSON can write. */
  readonly type: FlagType;
  /** Type of an array's items; null for other types. */
  readonly itemType: FlagType | null;
  /** Allowed values, for help and completion; null when free. */
  readonly enum: readonly unknown[] | null;
  /** undefined when the schema names none. */
  readonly default: unknown;
  readonly description: string;
  readonly required: boolean;
  /** True for `x-aiq: { from: file }`: the text usually comes from a file. */
  readonly fromFile: boolean;
}

/** The flags of an agent's input, in the schema's order. Secrets are never flags. */
export function schemaFlags(agent: Agent): SchemaFlag[] {
  return splitProperties(agent).flags;
}

/** Properties without a flag, in the same form: only `--set` and `--data` reach them. */
export function flaglessProperties(agent: Agent): SchemaFlag[] {
  return splitProperties(agent).flagless;
}

function splitProperties({ input: { schema } }: Agent): {
  flags: SchemaFlag[];
  flagless: SchemaFlag[];
} {
  const required = new Set((schema['required'] ?? []) as string[]);
  const taken = new Set<string>();
  const flags: SchemaFlag[] = [];
  const flagless: SchemaFlag[] = [];
  for (const [property, child] of Object.entries(schema['properties'] ?? {})) {
    if (typeof child !== 'object' || isSecret(child as JsonObject)) continue;
    const flag = kebabCase(property);
    // Two properties can have one spelling as flags; the second stays reachable through --set.
    const list = isFlaggable(property) && !taken.has(flag) ? flags : flagless;
    taken.add(flag);
    list.push(flagOf(property, flag, child as JsonObject, required.has(property)));
  }
  return { flags, flagless };
}

function extensionOf(node: JsonObject): JsonObject {
  return (node['x-aiq'] ?? {}) as JsonObject;
}

function flagOf(property: string, flag: string, node: JsonObject, required: boolean): SchemaFlag {
  const type = typeOf(node);
  const { description } = node;
  return {
    property,
    flag,
    aliases: flag === property ? [] : [property],
    type,
    itemType: type === 'array' ? typeOf((node['items'] ?? {}) as JsonObject) : null,
    enum: Array.isArray(node['enum']) ? node['enum'] : null,
    default: node['default'],
    description: typeof description === 'string' ? description : '',
    required,
    fromFile: extensionOf(node)['from'] === 'file',
  };
}

export type Converted =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly InputProblem[] };

/**
 * The texts given for a flag as a value of its type. Without a text a boolean is true; only a list
 * takes several. Limits and enums are left to the checker, which lists every problem of an input
 * together.
 */
export function convertFlag(flag: SchemaFlag, texts: readonly string[]): Converted {
  const { property, type, itemType } = flag;
  if (type !== 'array') {
    const [text, ...more] = texts;
    if (text === undefined && type === 'boolean') return { ok: true, value: true };
    if (more.length === 0) return convert(property, type, text ?? '');
    const message = `takes one value, but ${texts.map(shorten).join(' and ')} were given`;
    return { ok: false, problems: [{ property, message }] };
  }
  const items = texts.map((text, index) =>
    convert(`${property}.${index}`, itemType ?? 'string', text),
  );
  const problems = items.flatMap((item) => (item.ok ? [] : item.problems));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: items.map((item) => (item.ok ? item.value : null)) };
}

function convert(property: string, type: FlagType, text: string): Converted {
  const wrong = (what: string): Converted => ({
    ok: false,
    problems: [{ property, message: `${shorten(text)} is not ${what}` }],
  });
  switch (type) {
    case 'string':
      return { ok: true, value: text };
    case 'integer':
    case 'number':
      if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
        return wrong(type === 'integer' ? 'a whole number' : 'a number');
      }
      if (isKept(text)) return { ok: true, value: Number(text) };
      return { ok: false, problems: [{ property, message: lostText(text) }] };
    case 'boolean':
      if (text === 'true' || text === 'false') return { ok: true, value: text === 'true' };
      return wrong('true or false');
    case 'array':
    case 'object':
      return convertJson(property, text) ?? wrong('JSON');
  }
}

/** Null when it is none. */
function convertJson(property: string, text: string): Converted | null {
  try {
    const { value, lost } = readJson(text);
    if (lost.length === 0) return { ok: true, value };
    return { ok: false, problems: lostProblems(lost, [property]) };
  } catch {
    return null;
  }
}

function isFlaggable(property: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(property);
}

/** `maxFiles` and `max_files` to `max-files`, `URLPath` to `url-path`. */
function kebabCase(property: string): string {
  return property
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

const flagTypes: readonly string[] = ['string', 'number', 'integer', 'boolean', 'array', 'object'];

/** The type to read a text as; a nullable type counts as its other half, an enum as its values'. */
function typeOf(schema: JsonObject): FlagType {
  const declared = [schema['type'] ?? []].flat().filter((name) => name !== 'null') as string[];
  if (declared.length > 1) return 'object';
  const [type] = declared;
  if (type !== undefined && flagTypes.includes(type)) return type as FlagType;
  const values: unknown =
    schema['enum'] ?? (schema['const'] === undefined ? [] : [schema['const']]);
  const types = new Set(Array.isArray(values) ? values.map((value) => typeof value) : []);
  const [only] = types;
  if (types.size === 1 && (only === 'string' || only === 'number' || only === 'boolean')) {
    return only;
  }
  return 'object';
}
