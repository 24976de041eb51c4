/**
 * What aiq's jobs wrote is never knowledge: answers would quote answers, and every result would change
 * what the jobs that wait are about. The index of an output folder names its results.
 */

import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** Of more results in one folder not each is checked: all that is in it counts as theirs. */
const resultsMax = 5_000;

/** What was read of an index, which only grows; by folder. */
interface Known {
  readonly bytes: number;
  readonly paths: ReadonlySet<string> | 'too many';
}

const known = new Map<string, Known>();
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
  const index = join(dir, '.aiq', 'results.jsonl');
  if (!existsSync(index)) return existsSync(join(dir, '.aiq', 'commit')) ? 'too many' : null;
  const { size } = await stat(index);
  const before = known.get(dir);
  if (before?.bytes === size || before?.paths === 'too many') return before.paths;
  const lines = (await readFile(index, 'utf8').catch(() => '')).split('\n');
  const paths = lines.length > resultsMax ? 'too many' : new Set(lines.flatMap(pathsIn));
  known.delete(dir);
  known.set(dir, { bytes: size, paths });
  const [oldest] = known.keys();
  if (known.size > foldersMax && oldest !== undefined) known.delete(oldest);
  return paths;
}

/** A line that cannot be read names nothing. */
function pathsIn(line: string): readonly string[] {
  try {
    const [, files] = JSON.parse(line) as [unknown, unknown];
    if (!Array.isArray(files)) return [];
    return files.flatMap((file: unknown) => {
      const path: unknown = Array.isArray(file) ? file[0] : null;
      return typeof path === 'string' ? path : [];
    });
  } catch {
    return [];
  }
}
