/**
 * Which files git would leave alone: `.gitignore` files from the repository's root down, with
 * negation, anchors and folders as git reads them. Reads each file once; made anew for each listing.
 */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { literal } from '../literal.ts';

export interface Gitignore {
  /** @param path relative to the base folder, with forward slashes */
  ignores(path: string): boolean;
}

interface Rule {
  readonly pattern: RegExp;
  readonly isNegated: boolean;
  readonly foldersOnly: boolean;
}

export function createGitignore(baseDir: string): Gitignore {
  const root = repositoryRoot(baseDir);
  const below = relative(root, baseDir).split(sep).join('/');
  const rules = new Map<string, readonly Rule[]>();
  const folders = new Map<string, boolean>();
  const rulesOf = (folder: string): readonly Rule[] => {
    const known = rules.get(folder) ?? readRules(join(root, folder));
    rules.set(folder, known);
    return known;
  };
  const isHit = (path: string, isFolder: boolean): boolean => {
    // The rule that decides is the last that matches in the file nearest to the path.
    for (let folder = parentOf(path); ; folder = parentOf(folder)) {
      const inner = folder === '' ? path : path.slice(folder.length + 1);
      const rule = rulesOf(folder).findLast(
        ({ pattern, foldersOnly }) => (isFolder || !foldersOnly) && pattern.test(inner),
      );
      if (rule !== undefined) return !rule.isNegated;
      if (folder === '') return false;
    }
  };
  const isFolderIgnored = (folder: string): boolean => {
    // The base folder was chosen by a person, whatever git thinks of it.
    if (folder.length <= below.length) return false;
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const ignored = isFolderIgnored(parentOf(folder)) || isHit(folder, true);
    folders.set(folder, ignored);
    return ignored;
  };
  return {
    ignores(path) {
      const full = below === '' ? path : `${below}/${path}`;
      return isFolderIgnored(parentOf(full)) || isHit(full, false);
    },
  };
}

function parentOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end === -1 ? '' : path.slice(0, end);
}

/** The nearest folder upwards that holds `.git`; outside a repository, the folder itself. */
function repositoryRoot(folder: string): string {
  for (let root = folder; ; root = dirname(root)) {
    if (existsSync(join(root, '.git'))) return root;
    if (root === dirname(root)) return folder;
  }
}

function readRules(folder: string): readonly Rule[] {
  try {
    return readFileSync(join(folder, '.gitignore'), 'utf8').split(/\r?\n/).flatMap(ruleOf);
  } catch {
    return [];
  }
}

function ruleOf(line: string): Rule[] {
  const text = line.replace(/(?<!\\)\s+$/, '');
  if (text === '' || text.startsWith('#')) return [];
  const isNegated = text.startsWith('!');
  const glob = isNegated ? text.slice(1) : text;
  const foldersOnly = glob.endsWith('/');
  const body = glob.replace(/\/$/, '');
  const isAnchored = body.includes('/');
  const source = globSource(body.replace(/^\//, ''));
  try {
    const pattern = new RegExp(`^${isAnchored ? '' : '(?:.*/)?'}${source}$`, 'u');
    return [{ pattern, isNegated, foldersOnly }];
  } catch {
    // A line that is no pattern matches nothing, as in git.
    return [];
  }
}

/** One token of a glob and what it is as a regular expression, first fit first. */
const tokens: readonly (readonly [RegExp, (match: string) => string])[] = [
  [/^\*\*\//, () => '(?:.*/)?'],
  [/^\/\*\*$/, () => '/.+'],
  [/^\/\*\*(?=\/)/, () => '(?:/.*)?'],
  [/^\*+/, () => '[^/]*'],
  [/^\?/, () => '[^/]'],
  [/^\[[^\]/]+\]/, (set) => `[${set.slice(1, -1).replace(/^!/, '^').replaceAll('\\', '\\\\')}]`],
  [/^\\./u, (escaped) => literal(escaped.slice(1))],
  [/^[^]/u, (plain) => literal(plain)],
];

function globSource(glob: string): string {
  let source = '';
  for (let rest = glob; rest !== ''; ) {
    const [pattern, render] = tokens.find(([token]) => token.test(rest)) ?? [/^/, () => ''];
    const match = pattern.exec(rest)?.[0] ?? '';
    if (match === '') break;
    source += render(match);
    rest = rest.slice(match.length);
  }
  return source;
}
