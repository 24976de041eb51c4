/**
 * From `--input` values and positionals to files. A shell expands an unquoted `docs/*.md` itself,
 * so both places mean the same: a file, a pattern, or `-`. Text is never guessed: a name that is no
 * file is an error.
 */

import { type Dirent, existsSync, type Stats, statSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { basename, extname, join, matchesGlob, resolve } from 'node:path';
import { inputError } from '../errors.ts';
import { openError, shownName } from './text-file.ts';

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
    if (!entry.isFile() && !isLinkTo('isFile', entry)) continue;
    paths.push(relativeLike(value, resolve(entry.parentPath, entry.name)));
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
 * What a pattern matches, folder by folder and entry by entry: `glob` would keep more than a kilobyte for
 * each until the last. A folder below the first that cannot be read is passed by, as a shell would.
 */
async function* entriesOf(cwd: string, pattern: string): AsyncGenerator<Dirent> {
  const beginnings = beginningsOf(pattern);
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of await openFolder(cwd, folder)) {
      const path = folder + entry.name;
      if (mayHoldMatches(entry, path, beginnings)) folders.push(`${path}/`);
      if (matchesGlob(path, pattern)) yield entry;
    }
  }
}

async function openFolder(cwd: string, folder: string): Promise<AsyncIterable<Dirent> | Dirent[]> {
  try {
    return await opendir(join(cwd, folder));
  } catch (error) {
    if (folder === '') throw openError(cwd, error, null);
    return [];
  }
}

/** Patterns of the folders in which a match can lie: `a*`, `a*` and `**` below it for `a*` + `/**` + `/b`. */
function beginningsOf(pattern: string): string[] {
  const segments = pattern.split('/');
  const isDeep = segments.at(-1)?.includes('**') ?? false;
  return segments.slice(0, isDeep ? undefined : -1).map((_, at) => {
    const beginning = segments.slice(0, at + 1).join('/');
    const signs = beginning.replaceAll(/\[[{}]\]/g, '');
    // One that ends within braces is none: all folders count.
    return signs.split('{').length === signs.split('}').length ? beginning : '**';
  });
}

/** A link to a folder is followed where the pattern names it at one depth: `**` could go in circles. */
function mayHoldMatches(entry: Dirent, path: string, beginnings: readonly string[]): boolean {
  if (!entry.isDirectory() && !entry.isSymbolicLink()) return false;
  const beginning = beginnings.find((one) => matchesGlob(path, one));
  if (beginning === undefined || entry.isDirectory()) return beginning !== undefined;
  const isNamed = !beginning.includes('**') && beginning.split('/').at(-1) === entry.name;
  return isNamed && isLinkTo('isDirectory', entry);
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

function isLinkTo(what: 'isFile' | 'isDirectory', entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return false;
  return statOf(resolve(entry.parentPath, entry.name))?.[what]() ?? false;
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
