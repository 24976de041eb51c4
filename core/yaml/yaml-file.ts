/**
 * Reads one YAML file that a person wrote, as strictly as a trusted reader must: YAML 1.2 core, one
 * document, unique keys, bounded size, depth and aliases, no key that could reach a prototype.
 * Every place in it can be given as line and column.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { KeptResults } from '../base/index.ts';
import type { Finding } from './finding.ts';
import { isKept, lostText } from './numbers.ts';
import {
  type Place,
  type Places,
  placeAt,
  placesAt,
  placesOf,
  type TextPlace,
  type YamlPath,
} from './places.ts';
import { shorten } from './words.ts';

/** Largest YAML file: 1 MiB. */
export const yamlBytesMax = 1024 * 1024;
const depthMax = 64;
const aliasesMax = 100;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

/** A parsed file. */
export interface YamlFile {
  readonly file: string;
  /** Plain data. */
  readonly value: unknown;
  /** Line and column of the value at a path; of the nearest existing parent when there is none. */
  placeOf(path: YamlPath): Place;
  /** Line and column of the key that a path ends with. */
  keyPlaceOf(path: YamlPath): Place;
  textPlaceOf(path: YamlPath): TextPlace;
}

export type YamlResult =
  | { readonly ok: true; readonly file: YamlFile }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/** Loaded on first use and through `require`: half the time of an import, and usable without await. */
function yamlLibrary(): typeof Yaml {
  return createRequire(import.meta.url)('yaml') as typeof Yaml;
}

/** Says of a value that it holds no secrets, so that a copy of it may be kept among the results. */
export type MayKeep = (value: unknown) => boolean;

/** Reads and parses; every failure comes back as findings, nothing is thrown for bad content. */
export function readYamlFile(file: string, mayKeep?: MayKeep): YamlResult {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return refused(file, `cannot be read: ${(error as Error).message}`);
  }
  return parseYaml(file, bytes, mayKeep);
}

/** Parses bytes that were already read; `file` is for messages. */
export function parseYaml(file: string, bytes: Buffer, mayKeep: MayKeep = () => true): YamlResult {
  if (bytes.length > yamlBytesMax) {
    return refused(file, `the file has ${bytes.length} bytes; ${yamlBytesMax} are allowed`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refused(file, 'the file is not UTF-8 text');
  }
  results ??= new KeptResults('yaml', import.meta.dirname);
  const kept = results.find(text);
  if (kept !== null) return { ok: true, file: fileOf(file, JSON.parse(kept) as Parsed) };
  try {
    const parsed = parseText(file, text);
    if (!parsed.ok) return parsed;
    if (mayKeep(parsed.value)) results.keep(text, JSON.stringify(parsed));
    return { ok: true, file: fileOf(file, parsed) };
  } catch (error) {
    // The parser recurses; a hostile depth ends in a RangeError instead of a YAML error.
    if (error instanceof RangeError) return refused(file, tooDeep);
    throw error;
  }
}

/** Parsing costs far more than reading what came of it. */
let results: KeptResults | null = null;

/** What is kept of a file: all but its name. */
interface Parsed {
  readonly value: unknown;
  readonly places: Places;
}

function fileOf(file: string, { value, places }: Parsed): YamlFile {
  return {
    file,
    value,
    placeOf: (path) => placesAt(places, path).value,
    keyPlaceOf: (path) => {
      const found = placesAt(places, path);
      return found.key ?? found.value;
    },
    textPlaceOf: (path) => placesAt(places, path).text,
  };
}

const findingsMax = 20;
const faultText: { readonly [code: string]: string } = {
  MULTIPLE_DOCS: 'only one YAML document is allowed',
};
const tooDeep = `the file is nested too deeply; ${depthMax} levels are allowed`;

function refused(file: string, message: string, place: Place = { line: 1, column: 1 }): Refusal {
  return { ok: false, findings: [{ file, ...place, message }] };
}

type Refusal = Extract<YamlResult, { readonly ok: false }>;

function parseText(file: string, text: string): ({ readonly ok: true } & Parsed) | Refusal {
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
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    // Inside the parser an overflow of the stack becomes an ordinary error, one per open level.
    if (faults.some((fault) => fault.message.includes('call stack'))) return refused(file, tooDeep);
    const findings = faults.map((fault) => ({
      file,
      ...placeAt(lines, fault.pos[0]),
      message: faultText[fault.code] ?? fault.message,
    }));
    return { ok: false, findings: findings.slice(0, findingsMax) };
  }
  if (document.contents === null) return refused(file, 'the file is empty');
  const findings = hostileNodes(yaml, document, (node, message) => ({
    file,
    ...placeAt(lines, node.range?.[0] ?? 0),
    message,
  }));
  if (findings.length > 0) return { ok: false, findings: findings.slice(0, findingsMax) };
  const value = plainValue(document);
  if (!value.ok) return refused(file, value.message);
  const places = placesOf({ yaml, document, text, lines });
  return { ok: true, value: value.value, places };
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
