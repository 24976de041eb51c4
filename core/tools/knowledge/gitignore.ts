/**
 * Finds which files git would ignore, by the `.gitignore` files from the repository's root down. The
 * package `ignore` reads the patterns of one file; which file decides is found here.
 */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';

export interface Gitignore {
  /** @param path relative to the base folder, with forward slashes */
  ignores(path: string): boolean;
}

/** Reads each `.gitignore` once, on first use. */
export function createGitignore(baseDir: string): Gitignore {
  const root = repositoryRoot(baseDir);
  const below = relative(root, baseDir).split(sep).join('/');
  const rules = new Map<string, Ignore>();
  const folders = new Map<string, boolean>();
  const rulesOf = (folder: string): Ignore => {
    const known = rules.get(folder) ?? readRules(root, folder, below);
    rules.set(folder, known);
    return known;
  };
  /** By the file nearest to the path that has a rule for it; a folder's path ends with a slash. */
  const isMatched = (path: string): boolean => {
    for (let folder = parentOf(path); ; folder = parentOf(folder)) {
      const inner = folder === '' ? path : path.slice(folder.length + 1);
      const { ignored, unignored } = rulesOf(folder).test(inner);
      if (ignored || unignored) return ignored;
      if (folder === '') return false;
    }
  };
  const isFolderIgnored = (folder: string): boolean => {
    if (folder.length <= below.length) return false;
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const ignored = isFolderIgnored(parentOf(folder)) || isMatched(`${folder}/`);
    folders.set(folder, ignored);
    return ignored;
  };
  return {
    ignores(path) {
      const full = below === '' ? path : `${below}/${path}`;
      return isFolderIgnored(parentOf(full)) || isMatched(full);
    },
  };
}

function parentOf(path: string): string {
  const parent = dirname(path);
  return parent === '.' ? '' : parent;
}

/** The nearest folder upwards that holds `.git`; outside a repository, the folder itself. */
function repositoryRoot(folder: string): string {
  for (let root = folder; ; root = dirname(root)) {
    if (existsSync(join(root, '.git'))) return root;
    if (root === dirname(root)) return folder;
  }
}

/** Rules of one folder. None of them excludes the base folder, which a person chose. */
function readRules(root: string, folder: string, below: string): Ignore {
  const rules = ignore({ ignorecase: false });
  try {
    rules.add(readFileSync(join(root, folder, '.gitignore'), 'utf8'));
  } catch {
    return rules;
  }
  const steps = relative(folder, below).split(sep);
  if (steps[0] === '' || steps[0] === '..') return rules;
  const parents = steps.map((_, index) => steps.slice(0, index + 1).join('/'));
  return rules.add(parents.map((path) => `!/${path.replace(/[\\*?[\]]/g, '\\$&')}/`));
}
