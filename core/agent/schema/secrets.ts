/**
 * Inputs that are never shown: those that a schema marks with `writeOnly` or `x-aiq: { secret: true }`,
 * with all that is in them.
 */

import type { JsonObject } from '../agent.ts';

/** Replaces a secret. */
export const hiddenValue = '[secret]';

export function isSecret(node: JsonObject): boolean {
  const extension = node['x-aiq'] as JsonObject | undefined;
  return node['writeOnly'] === true || extension?.['secret'] === true;
}

/** A value as it may be shown, and the texts in it that may not. */
export interface Shown {
  readonly value: unknown;
  readonly secrets: ReadonlySet<string>;
}

/** The value is left as it is. */
export function hideSecrets(schema: JsonObject, value: unknown): Shown {
  const secrets = new Set<string>();
  // Most schemas have none, and a walk costs as much as the value is large.
  if (!/"(?:writeOnly|secret)":true/.test(JSON.stringify(schema))) return { value, secrets };
  return { value: shown({ root: schema, secrets }, [schema], value), secrets };
}

interface Walk {
  readonly root: JsonObject;
  readonly secrets: Set<string>;
}

function shown(walk: Walk, schemas: readonly unknown[], value: unknown): unknown {
  const nodes = allNodes(walk.root, schemas);
  if (nodes.some(isSecret)) {
    collect(value, walk.secrets);
    return hiddenValue;
  }
  if (typeof value !== 'object' || value === null || nodes.length === 0) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      shown(
        walk,
        nodes.flatMap((node) => ofItem(node, index)),
        item,
      ),
    );
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      shown(
        walk,
        nodes.flatMap((node) => ofMember(node, key)),
        member,
      ),
    ]),
  );
}

const listKeywords = ['allOf', 'anyOf', 'oneOf'];
const singleKeywords = ['if', 'then', 'else', 'not'];

/** All schemas that apply to the same value: references and branches followed. */
function allNodes(root: JsonObject, schemas: readonly unknown[]): JsonObject[] {
  const nodes = new Set<JsonObject>();
  const open = [...schemas];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (!isNode(node) || nodes.has(node)) continue;
    nodes.add(node);
    open.push(...listKeywords.flatMap((keyword) => node[keyword] ?? []));
    open.push(...singleKeywords.map((keyword) => node[keyword]).filter(isNode));
    open.push(...membersOf(node['dependentSchemas']).map(([, inner]) => inner));
    if (typeof node['$ref'] === 'string') open.push(target(root, node['$ref']) ?? true);
  }
  return [...nodes];
}

function isNode(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}

function membersOf(value: unknown): [string, unknown][] {
  return isNode(value) ? Object.entries(value) : [];
}

/** Inside the schema, which is all that is allowed. */
function target(root: JsonObject, reference: string): unknown {
  let node: unknown = root;
  for (const step of reference.split('/').slice(1)) {
    const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    node = isNode(node) ? node[key] : undefined;
  }
  return node;
}

function ofItem(node: JsonObject, index: number): unknown[] {
  const { items, contains, prefixItems, unevaluatedItems } = node;
  const own: unknown = Array.isArray(prefixItems) ? prefixItems[index] : undefined;
  return [own, items, contains, unevaluatedItems].filter(isNode);
}

function ofMember(node: JsonObject, key: string): unknown[] {
  const { properties, patternProperties, additionalProperties, unevaluatedProperties } = node;
  const own = isNode(properties) && Object.hasOwn(properties, key) ? properties[key] : undefined;
  const matching = membersOf(patternProperties)
    .filter(([pattern]) => new RegExp(pattern, 'u').test(key))
    .map(([, inner]) => inner);
  const rest = own === undefined ? [additionalProperties, unevaluatedProperties] : [];
  return [own, ...matching, ...rest].filter(isNode);
}

/** Whether the value at this path of an input is a secret, or inside one. */
export function isSecretPlace(schema: JsonObject, path: readonly string[]): boolean {
  let nodes = allNodes(schema, [schema]);
  for (const step of path) {
    if (nodes.some(isSecret)) return true;
    const inner = nodes.flatMap((node) => [...ofMember(node, step), ...ofItem(node, Number(step))]);
    nodes = allNodes(schema, inner);
  }
  return nodes.some(isSecret);
}

/** Texts and numbers; true and false reveal nothing. */
function collect(value: unknown, secrets: Set<string>): void {
  if (typeof value === 'number') secrets.add(String(value));
  else if (typeof value === 'string' && value.trim() !== '') {
    // Prompts are trimmed at their ends.
    secrets.add(value.trim());
    // Templates may set its lines apart.
    for (const line of value.split('\n'))
      if (line.trim().length >= lineCharsMin) secrets.add(line.trim());
  } else if (isNode(value)) for (const [, member] of membersOf(value)) collect(member, secrets);
}

/** A shorter line of a secret is too common to be one by itself. */
const lineCharsMin = 8;

const special = /[\\^$.*+?()[\]{}|/]/g;

/** The text without these, however they are written: in other capitals, or as JSON, also twice. */
export function withoutTexts(text: string, secrets: ReadonlySet<string>): string {
  let clean = text;
  const longestFirst = [...secrets].toSorted((a, b) => b.length - a.length);
  for (const secret of longestFirst) {
    const asJson = JSON.stringify(secret).slice(1, -1);
    for (const form of new Set([secret, asJson, JSON.stringify(asJson).slice(1, -1)])) {
      clean = clean.replaceAll(new RegExp(form.replaceAll(special, '\\$&'), 'giu'), hiddenValue);
    }
  }
  return clean;
}
