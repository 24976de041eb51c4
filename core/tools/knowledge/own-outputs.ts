/**
 * What aiq's jobs wrote is never knowledge: answers would quote answers, and every result would change
 * what the jobs that wait are about. The commit records of an output folder name its results.
 */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** Of more results in one folder not each is checked: all that is in it counts as theirs. */
const recordsMax = 5_000;

/** Paths by the name of the record, which never changes; by folder. */
const known = new Map<string, Map<string, readonly string[]>>();
const foldersMax = 16;

export type Kind = 'own' | 'in a folder of results' | 'other';

/** @param root real path of the folder that paths are relative to */
export function ownOutputs(root: string): (path: string) => Promise<Kind> {
  const folders = new Map<string, Promise<ReadonlySet<string> | 'too many' | null>>();
  return async (path) => {
    const file = join(root, path);
    for (let dir = dirname(file); ; dir = dirname(dir)) {
      const results = folders.get(dir) ?? resultsIn(dir);
      folders.set(dir, results);
      const paths = await results;
      if (paths === 'too many') return 'in a folder of results';
      if (paths?.has(relative(dir, file)) === true) return 'own';
      if (dir === root || dir === dirname(dir)) return 'other';
    }
  };
}

/** Paths of the results in an output folder; null for a folder that is none. */
async function resultsIn(dir: string): Promise<ReadonlySet<string> | 'too many' | null> {
  const commits = join(dir, '.aiq', 'commit');
  if (!existsSync(commits)) return null;
  const names = await readdir(commits).catch(() => []);
  if (names.length > recordsMax) return 'too many';
  const before = known.get(dir) ?? new Map<string, readonly string[]>();
  const now = new Map<string, readonly string[]>();
  for (const name of names) now.set(name, before.get(name) ?? (await pathsIn(join(commits, name))));
  known.delete(dir);
  known.set(dir, now);
  const [oldest] = known.keys();
  if (known.size > foldersMax && oldest !== undefined) known.delete(oldest);
  return new Set([...now.values()].flat());
}

/** A record that cannot be read names nothing. */
async function pathsIn(record: string): Promise<readonly string[]> {
  try {
    const { files } = JSON.parse(await readFile(record, 'utf8')) as {
      files?: { path?: unknown }[];
    };
    return (files ?? []).flatMap(({ path }) => (typeof path === 'string' ? path : []));
  } catch {
    return [];
  }
}
