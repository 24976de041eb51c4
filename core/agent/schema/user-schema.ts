/**
 * Checks the JSON Schemas of agents before Ajv compiles them: unknown keywords get their line, and
 * references outside the schema are refused.
 */

import {
  type Finding,
  listOf,
  suggestion,
  type YamlFile,
  type YamlPath,
} from '../../yaml/index.ts';
import type { JsonObject } from '../agent.ts';
import { compileSchema } from './validator.ts';

const depthMax = 32;
const nodesMax = 5_000;

const mapsOfSchemas = [
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
];
const listsOfSchemas = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const singleSchemas = [
  'items',
  'additionalProperties',
  'contains',
  'not',
  'if',
  'then',
  'else',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
];
const plainKeywords = (
  '$schema $id $ref $comment title description default examples deprecated readOnly writeOnly ' +
  'type enum const format pattern minLength maxLength minimum maximum exclusiveMinimum ' +
  'exclusiveMaximum multipleOf minItems maxItems uniqueItems minContains maxContains ' +
  'minProperties maxProperties required dependentRequired x-aiq'
).split(' ');
const keywords = new Set([...mapsOfSchemas, ...listsOfSchemas, ...singleSchemas, ...plainKeywords]);

const olderKeywords: { readonly [name: string]: string } = {
  dependencies: 'write dependentRequired or dependentSchemas',
  additionalItems: 'write prefixItems for the first items and items for the rest',
  nullable: 'write type: [<type>, "null"]',
  id: 'leave it out',
};

/** Where a schema is written: its file and the path of its root in there. */
export interface SchemaPlace {
  readonly file: YamlFile;
  readonly path: YamlPath;
}

/** Everything wrong with a schema that must describe an object. Compiles it as the last step. */
export async function checkUserSchema(schema: JsonObject, place: SchemaPlace): Promise<Finding[]> {
  const findings: Finding[] = [];
  const walk: Walk = { place, findings, nodes: 0, tooLarge: false };
  if (schema['type'] !== 'object') {
    report(walk, [], 'the schema must have "type: object" at its top');
  }
  visit(walk, schema, []);
  if (findings.length > 0) return findings;
  try {
    await compileSchema(schema);
  } catch (error) {
    const text = (error as Error).message.replace(/^strict mode: /, '');
    report(walk, [], `the schema cannot be used: ${text}`);
  }
  return findings;
}

interface Walk {
  readonly place: SchemaPlace;
  readonly findings: Finding[];
  nodes: number;
  tooLarge: boolean;
}

const tooLarge = `the schema is too large; ${nodesMax} parts in ${depthMax} levels are allowed`;

function report(walk: Walk, path: YamlPath, message: string, end: 'key' | 'value' = 'value'): void {
  const { file, path: root } = walk.place;
  const full = [...root, ...path];
  const at = end === 'key' ? file.keyPlaceOf(full) : file.placeOf(full);
  walk.findings.push({ file: file.file, ...at, message });
}

function visit(walk: Walk, schema: unknown, path: YamlPath): void {
  if (typeof schema === 'boolean') return;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    report(walk, path, 'a schema must be a mapping, true or false');
    return;
  }
  walk.nodes += 1;
  // Everything after the limit is over it too: reported once.
  if (walk.nodes > nodesMax || path.length > depthMax * 2) {
    if (!walk.tooLarge) report(walk, path, tooLarge);
    walk.tooLarge = true;
    return;
  }
  for (const [keyword, value] of Object.entries(schema)) visitKeyword(walk, keyword, value, path);
}

function visitKeyword(walk: Walk, keyword: string, value: unknown, path: YamlPath): void {
  const here = [...path, keyword];
  if (!keywords.has(keyword)) {
    const older = Object.hasOwn(olderKeywords, keyword) ? olderKeywords[keyword] : undefined;
    const hint = older === undefined ? `.${suggestion(keyword, keywords)}` : `: ${older}`;
    report(walk, here, `unknown schema keyword "${keyword}"${hint === '.' ? '' : hint}`, 'key');
  } else if (mapsOfSchemas.includes(keyword)) {
    for (const [name, child] of entriesOf(value)) visit(walk, child, [...here, name]);
    if (keyword === 'patternProperties') {
      for (const [pattern] of entriesOf(value)) checkPattern(walk, pattern, [...here, pattern]);
    }
  } else if (listsOfSchemas.includes(keyword)) {
    if (Array.isArray(value)) value.forEach((child, index) => visit(walk, child, [...here, index]));
    else report(walk, here, `"${keyword}" must be a list of schemas`);
  } else if (singleSchemas.includes(keyword)) {
    visit(walk, value, here);
  } else {
    visitPlain(walk, keyword, value, path);
  }
}

function visitPlain(walk: Walk, keyword: string, value: unknown, path: YamlPath): void {
  const here = [...path, keyword];
  if (keyword === '$ref' && !(typeof value === 'string' && value.startsWith('#'))) {
    report(walk, here, 'a $ref must point into the schema itself, like #/$defs/name');
  } else if (keyword === '$id' && path.length > 0) {
    report(walk, here, '"$id" is allowed at the top of a schema only', 'key');
  } else if (keyword === 'pattern') {
    checkPattern(walk, value, here);
  } else if (keyword === 'x-aiq') {
    checkExtension(walk, value, here);
  }
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function checkPattern(walk: Walk, pattern: unknown, path: YamlPath): void {
  try {
    RegExp(String(pattern), 'u');
  } catch (error) {
    report(walk, path, (error as Error).message);
  }
}

const extensionValues: { readonly [name: string]: readonly unknown[] } = {
  from: ['file'],
  secret: [true, false],
};

/** `x-aiq: { from: file, secret: true }`, what aiq adds to JSON Schema. */
function checkExtension(walk: Walk, value: unknown, path: YamlPath): void {
  for (const [name, member] of entriesOf(value)) {
    const allowed = Object.hasOwn(extensionValues, name) ? extensionValues[name] : undefined;
    if (allowed === undefined) {
      const known = Object.keys(extensionValues);
      const near = suggestion(name, known);
      report(walk, [...path, name], `unknown x-aiq setting "${name}".${near}`, 'key');
    } else if (!allowed.includes(member)) {
      report(walk, [...path, name], `"${name}" must be ${listOf(allowed.map(String))}`);
    }
  }
}
