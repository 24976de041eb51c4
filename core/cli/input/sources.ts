/**
 * From `--input` values and positionals to files. A shell expands an unquoted `docs/*.md` itself,
 * so both places mean the same: a file, a pattern, or `-`. Text is never guessed: a name that is no
 * file is an error.
 */

import { type Dirent, existsSync, type Stats, statSync } from 'node:fs';
import { glob, opendir } from 'node:fs/promises';
import { basename, extname, matchesGlob, resolve } from 'node:path';
import { inputError } from '../errors.ts';
import { shownName } from './text-file.ts';

/** The name of standard input among the files. */
export const stdinMark = '-';

const magic = /[*?[\]{}]/;

/**
 * The files in the order given, patterns in sorted order, each file once.
 * @throws CliError `invalid` when a pattern matches nothing
 */
export async function expandSources(values: readonly string[]): Promise<readonly string[]> {
  const [only] = values;
  if (only !== undefined && values.length === 1) return pathsOf(only);
  const sources = new Map<string, string>();
  for (const value of values) {
    for (const path of await pathsOf(value)) {
      const key = path === stdinMark ? path : resolve(path);
      if (!sources.has(key)) sources.set(key, path);
    }
  }
  return [...sources.values()];
}

async function pathsOf(value: string): Promise<string[]> {
  if (value === stdinMark || !magic.test(value) || existsSync(value)) return [value];
  const paths: string[] = [];
  const { cwd, pattern } = splitPattern(value);
  for await (const entry of entriesOf(cwd, pattern)) {
    const path = resolve(entry.parentPath, entry.name);
    if (entry.isFile() || isFileBehindLink(entry, path)) paths.push(relativeLike(value, path));
  }
  if (paths.length === 0) {
    const quoted = JSON.stringify(shownName(value));
    const hints = [`Is it the text itself? Then: --text ${quoted}`];
    if (/[[\]{}\\]/.test(value)) hints.push(escapesHint);
    throw inputError(`no file matches ${quoted}`, ...hints);
  }
  // Braces may name a file twice.
  return paths.sort().filter((path, at) => path !== paths[at - 1]);
}

/**
 * What a pattern matches. One for the names of a single folder is read entry by entry: `glob` would keep
 * a kilobyte for each of them until the last.
 */
async function* entriesOf(cwd: string, pattern: string): AsyncGenerator<Dirent> {
  if (pattern.includes('/') || pattern.includes('**')) {
    yield* glob(pattern, { cwd, withFileTypes: true });
    return;
  }
  for await (const entry of await opendir(cwd)) {
    if (matchesGlob(entry.name, pattern)) yield entry;
  }
}

const escapesHint =
  'Escape characters that belong to a name with a backslash: \\[ \\] \\* \\? \\{ \\}';

/** Splits off the leading folders that exist by their literal names; the rest is a pattern. */
function splitPattern(value: string): { cwd: string; pattern: string } {
  const segments = value.split('/');
  let cwd = value.startsWith('/') ? '/' : '.';
  while (segments.length > 1) {
    const [segment = ''] = segments;
    if (/[*?]/.test(segment.replaceAll(escaped, ''))) break;
    const folder = [segment, segment.replaceAll(escaped, '$1')]
      .map((name) => `${cwd}/${name}`)
      .find((path) => statOf(path)?.isDirectory());
    if (folder === undefined) break;
    cwd = folder;
    segments.shift();
  }
  // Node's patterns take a backslash for a slash; a class of one sign is that sign.
  return { cwd, pattern: segments.join('/').replaceAll(escaped, asClass) };
}

const escaped = /\\([*?[\]{}])/g;

function asClass(_: string, sign: string): string {
  return sign === ']' ? sign : `[${sign}]`;
}

function isFileBehindLink(entry: Dirent, path: string): boolean {
  return entry.isSymbolicLink() && (statOf(path)?.isFile() ?? false);
}

/** Null for what is not there, or is no name: links in a circle, a text longer than any name. */
function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** Relative patterns give relative paths, as a shell would. */
function relativeLike(pattern: string, absolute: string): string {
  const here = `${process.cwd()}/`;
  if (pattern.startsWith('/') || !absolute.startsWith(here)) return absolute;
  const path = absolute.slice(here.length);
  return path === stdinMark ? `./${path}` : path;
}

/** `job.source`: the file's name without its extension. */
export function sourceName(path: string): string {
  return basename(path, extname(path));
}
