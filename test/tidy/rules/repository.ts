/** The files of the repository as the tidy tests see them: all that is not git-ignored. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root: string = join(import.meta.dirname, '../../..');

const ignored = new Set(['node_modules', '.node', '.aiq', '.git', 'out', 'dist']);

/** Sources by path, relative to the root, with `/`. */
export type Sources = ReadonlyMap<string, string>;

/** Paths of all files below a folder, relative to the root, sorted. */
export function filesBelow(folder: string, keep: (path: string) => boolean = () => true): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split('\\').join('/'))
    .filter((path) => !path.split('/').some((part) => ignored.has(part)) && keep(path))
    .sort();
}

export function readSources(paths: readonly string[]): Sources {
  return new Map(paths.map((path) => [path, readText(path)]));
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
