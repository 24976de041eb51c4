/** Which other files a source needs: imports, re-exports, dynamic imports and thread entries. */

import { posix } from 'node:path';
import type { Sources } from './repository.ts';
import { readSourceText } from './source-text.ts';

export interface Import {
  /** `type`: erased. `entry`: a file named by `new URL`, started as a thread or process. */
  readonly kind: 'value' | 'type' | 'dynamic' | 'entry' | 'computed';
  readonly specifier: string;
}

const statement = /\b(?:import|export)\s+(?<clause>[\w\s{},*$]*?)\s*from\s*(?<at>['"])/g;
const bareImport = /\bimport\s*(?<at>['"])/g;
const call = /\b(?:import|require|getBuiltinModule)\s*\(\s*(?<at>['"`]|(?=[^\s'"`)]))/g;
const url =
  /new URL\(\s*(?<quote>['"`])\.{1,2}\/(?:(?!\k<quote>).)+\k<quote>,\s*import\.meta\.url/g;

export function importsOf(source: string): Import[] {
  const { code, bare } = readSourceText(source);
  const found: Import[] = [];
  for (const match of bare.matchAll(statement)) {
    const kind = /^type\b/.test(match.groups?.['clause'] ?? '') ? 'type' : 'value';
    found.push({ kind, specifier: stringAt(code, match) });
  }
  for (const match of bare.matchAll(bareImport)) {
    found.push({ kind: 'value', specifier: stringAt(code, match) });
  }
  for (const match of bare.matchAll(call)) {
    const isLiteral = match.groups?.['at'] !== '';
    found.push({
      kind: isLiteral ? 'dynamic' : 'computed',
      specifier: isLiteral ? stringAt(code, match) : '',
    });
  }
  for (const [text] of code.matchAll(url)) {
    // `io-thread${extname(import.meta.url)}`: the running file's own extension, here `.ts`.
    const specifier = text.replace(/^[^'"`]*./, '').replace(/['"`],[^'"`]*$/, '');
    const file = specifier.replace(/\$\{[^}]*\}$/, '.ts');
    if (file.endsWith('.ts')) found.push({ kind: 'entry', specifier: file });
  }
  return found;
}

/** The string whose opening quote ends the match. */
function stringAt(code: string, match: RegExpExecArray): string {
  const start = match.index + match[0].length;
  const quote = code[start - 1] ?? '';
  return code.slice(start, code.indexOf(quote, start));
}

/** A relative specifier as a path from the root; null for packages and built-ins. */
export function resolveImport(from: string, specifier: string): string | null {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : null;
}

/** `@scope/name/deep` → `@scope/name`. */
export function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** What the entries load, threads included: every file with the path that leads to it. */
export function reachableFrom(entries: readonly string[], sources: Sources): Map<string, string[]> {
  const trails = new Map(entries.map((entry) => [entry, [entry]]));
  for (const [path, trail] of trails) {
    for (const { specifier } of importsOf(sources.get(path) ?? '')) {
      const target = resolveImport(path, specifier);
      if (target !== null && !trails.has(target)) trails.set(target, [...trail, target]);
    }
  }
  return trails;
}
