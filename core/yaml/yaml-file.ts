/**
 * Reads one YAML file that a person wrote, as strictly as a trusted reader must: YAML 1.2 core, one
 * document, unique keys, bounded size, depth and aliases, no key that could reach a prototype.
 * Every place in it can be given as line and column.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { Finding } from './finding.ts';
import { isKept, lostText } from './numbers.ts';
import { shorten } from './words.ts';

/** Largest YAML file: 1 MiB. */
export const yamlBytesMax = 1024 * 1024;
const depthMax = 64;
const aliasesMax = 100;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

/** A place inside a document: keys and indexes from the root. */
export type YamlPath = readonly (string | number)[];

/** A parsed file. */
export interface YamlFile {
  readonly file: string;
  /** Plain data. */
  readonly value: unknown;
  /** Line and column of the value at a path; of the nearest existing parent when there is none. */
  placeOf(path: YamlPath): Place;
  /** Line and column of the key that a path ends with. */
  keyPlaceOf(path: YamlPath): Place;
  /** Where the text of a string at a path begins; `indent` is what the file has in front of each line. */
  textPlaceOf(path: YamlPath): { readonly line: number; readonly indent: number };
}

/** Lines and columns from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type YamlResult =
  | { readonly ok: true; readonly file: YamlFile }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/** Loaded on first use and through `require`: half the time of an import, and usable without await. */
function yamlLibrary(): typeof Yaml {
  return createRequire(import.meta.url)('yaml') as typeof Yaml;
}

/** Reads and parses; every failure comes back as findings, nothing is thrown for bad content. */
export function readYamlFile(file: string): YamlResult {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return refused(file, `cannot be read: ${(error as Error).message}`);
  }
  return parseYaml(file, bytes);
}

/** Parses bytes that were already read; `file` is for messages. */
export function parseYaml(file: string, bytes: Buffer): YamlResult {
  if (bytes.length > yamlBytesMax) {
    return refused(file, `the file has ${bytes.length} bytes; ${yamlBytesMax} are allowed`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refused(file, 'the file is not UTF-8 text');
  }
  try {
    return parseText(file, text);
  } catch (error) {
    // The parser recurses; a hostile depth ends in a RangeError instead of a YAML error.
    if (error instanceof RangeError) return refused(file, tooDeep);
    throw error;
  }
}

const findingsMax = 20;
const faultText: { readonly [code: string]: string } = {
  MULTIPLE_DOCS: 'only one YAML document is allowed',
};
const tooDeep = `the file is nested too deeply; ${depthMax} levels are allowed`;

function refused(file: string, message: string, place: Place = { line: 1, column: 1 }): YamlResult {
  return { ok: false, findings: [{ file, ...place, message }] };
}

function parseText(file: string, text: string): YamlResult {
  const yaml = yamlLibrary();
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, {
    version: '1.2',
    schema: 'core',
    // The parser's own check compares every key with every other; hostileNodes() keeps a set.
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    // Inside the parser an overflow of the stack becomes an ordinary error, one per open level.
    if (faults.some((fault) => fault.message.includes('call stack'))) return refused(file, tooDeep);
    const findings = faults.map((fault) => ({
      file,
      ...placeAt(fault.pos[0]),
      message: faultText[fault.code] ?? fault.message,
    }));
    return { ok: false, findings: findings.slice(0, findingsMax) };
  }
  if (document.contents === null) return refused(file, 'the file is empty');
  const findings = hostileNodes(yaml, document, (node, message) => ({
    file,
    ...placeAt(node.range?.[0] ?? 0),
    message,
  }));
  if (findings.length > 0) return { ok: false, findings: findings.slice(0, findingsMax) };
  const value = plainValue(document);
  if (!value.ok) return refused(file, value.message);
  const find = (path: YamlPath, end: 'key' | 'value'): Yaml.Node =>
    nodeAt(yaml, document, path, end);
  return {
    ok: true,
    file: {
      file,
      value: value.value,
      placeOf: (path) => placeAt(find(path, 'value').range?.[0] ?? 0),
      keyPlaceOf: (path) => placeAt(find(path, 'key').range?.[0] ?? 0),
      textPlaceOf: (path) => textPlace(yaml, find(path, 'value'), text, placeAt),
    },
  };
}

function plainValue(
  document: Yaml.Document,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; message: string } {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: aliasesMax }) };
  } catch (error) {
    if (error instanceof ReferenceError) {
      return { ok: false, message: `aliases multiply the file; ${aliasesMax} are allowed` };
    }
    throw error;
  }
}

/** Duplicate keys, keys that are no text or could reach a prototype; nesting and aliases beyond reason. */
function hostileNodes(
  yaml: typeof Yaml,
  document: Yaml.Document,
  finding: (node: Yaml.Node, message: string) => Finding,
): Finding[] {
  const findings: Finding[] = [];
  yaml.visit(document, {
    Collection(_, node, path) {
      if (yaml.isMap(node)) findings.push(...repeatedKeys(yaml, node, finding));
      // A pair lies between a mapping and its value, so the path is up to twice the depth.
      const depth = path.filter((step) => yaml.isCollection(step)).length;
      if (depth < depthMax) return undefined;
      findings.push(finding(node, tooDeep));
      return yaml.visit.BREAK;
    },
    Scalar(_, node) {
      if (typeof node.value !== 'number' || isKept(node.source ?? '')) return;
      const isFinite = Number.isFinite(node.value) || /\d/.test(node.source ?? '');
      const message = isFinite
        ? lostText(node.source ?? '')
        : `${node.source} is not a number that JSON can hold`;
      findings.push(finding(node, message));
    },
    Alias(_, node, path) {
      const target = node.resolve(document);
      if (target === undefined) {
        findings.push(finding(node, `the alias *${node.source} has no anchor before it`));
      } else if (path.some((step) => step === target)) {
        findings.push(finding(node, `the alias *${node.source} is inside its own anchor`));
      }
    },
    Pair(_, pair) {
      const { key } = pair;
      if (!yaml.isScalar(key) || typeof key.value !== 'string') {
        const node = yaml.isNode(key) ? key : document.contents;
        const text = yaml.isScalar(key) ? ` Put ${shorten(key.value)} in quotes.` : '';
        if (node !== null) findings.push(finding(node, `a key must be text.${text}`));
      } else if (forbiddenKeys.has(key.value)) {
        findings.push(finding(key, `the key "${key.value}" is not allowed anywhere in a file`));
      }
      return undefined;
    },
  });
  return findings;
}

function repeatedKeys(
  yaml: typeof Yaml,
  map: Yaml.YAMLMap,
  finding: (node: Yaml.Node, message: string) => Finding,
): Finding[] {
  const seen = new Set<unknown>();
  const findings: Finding[] = [];
  for (const { key } of map.items) {
    if (!yaml.isScalar(key)) continue;
    if (seen.has(key.value))
      findings.push(finding(key, `the key ${shorten(key.value)} appears twice`));
    if (findings.length >= findingsMax) break;
    seen.add(key.value);
  }
  return findings;
}

/** Walks from the root as far as the path goes. */
function nodeAt(
  yaml: typeof Yaml,
  document: Yaml.Document,
  path: YamlPath,
  end: 'key' | 'value',
): Yaml.Node {
  let node = document.contents as Yaml.Node;
  for (const [index, step] of path.entries()) {
    const real: unknown = yaml.isAlias(node) ? node.resolve(document) : node;
    if (yaml.isMap(real)) {
      const pair = real.items.find((item) => yaml.isScalar(item.key) && item.key.value === step);
      if (pair === undefined) return node;
      if (end === 'key' && index === path.length - 1) return pair.key as Yaml.Node;
      node = (pair.value ?? pair.key) as Yaml.Node;
    } else if (yaml.isSeq(real)) {
      const item = real.items[Number(step)];
      if (!yaml.isNode(item)) return node;
      node = item;
    } else {
      return node;
    }
  }
  return node;
}

/** A block scalar's text begins on the line after its header; a flow scalar's where it begins. */
function textPlace(
  yaml: typeof Yaml,
  node: Yaml.Node,
  text: string,
  placeAt: (offset: number) => Place,
): { line: number; indent: number } {
  const start = node.range?.[0] ?? 0;
  const place = placeAt(start);
  const type = yaml.isScalar(node) ? node.type : undefined;
  if (type !== 'BLOCK_LITERAL' && type !== 'BLOCK_FOLDED') {
    const quote = type === 'PLAIN' ? 0 : 1;
    return { line: place.line, indent: place.column - 1 + quote };
  }
  const header = text.indexOf('\n', start) + 1;
  const firstText = /^(?: *\r?\n)*( *)/.exec(text.slice(header, header + 4096));
  return { line: place.line + 1, indent: firstText?.[1]?.length ?? 0 };
}
