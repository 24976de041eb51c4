/**
 * The files that an agent's `knowledge` names, found and read. Nothing outside the base folder:
 * no symbolic link on the way is followed, no special file is opened, and sizes have limits.
 */

import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Agent } from '../../agent/index.ts';
import { createGitignore } from './gitignore.ts';
import { bounded, knowledgeLimits, type LeftOut, leftOut } from './left-out.ts';
import { ownOutputs } from './own-outputs.ts';

export type Patterns = Agent['knowledge'];

export interface KnowledgeFile {
  /** Relative to the base folder, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Differs when the file was written to or replaced. */
  readonly stamp: string;
  readonly chunkSize: number;
}

export interface FileList {
  readonly files: readonly KnowledgeFile[];
  /** Over a limit, or of a format that is no text. */
  readonly leftOut: readonly LeftOut[];
}

/** Never searched, whatever a pattern says. */
const alwaysIgnored = ['**/node_modules/**', '**/.git/**', '**/.aiq/**'];

/** Sorted by path. A file that several entries include belongs to the first. */
export async function listFiles(patterns: Patterns, baseDir: string): Promise<FileList> {
  const root = await realpath(baseDir);
  const gitignore = createGitignore(root);
  const isInside = linkCheck(root);
  const kindOf = ownOutputs(root);
  const found = new Map<string, KnowledgeFile>();
  const results: LeftOut[] = [];
  for (const { include, exclude, chunkSize } of patterns) {
    for (const file of await matches(root, include, exclude)) {
      if (found.has(file.path) || !(await isInside(file.path))) continue;
      if (gitignore.ignores(file.path)) continue;
      const kind = await kindOf(file.path);
      if (kind === 'other') found.set(file.path, { ...file, chunkSize });
      else if (kind !== 'own') results.push(leftOut(file.path, kind));
    }
  }
  const sorted = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const list = bounded(sorted);
  return results.length === 0 ? list : { ...list, leftOut: [...list.leftOut, ...results] };
}

async function matches(
  root: string,
  include: readonly string[],
  exclude: readonly string[],
): Promise<Omit<KnowledgeFile, 'chunkSize'>[]> {
  const { default: fastGlob } = await import('fast-glob');
  const entries = await fastGlob([...include], {
    cwd: root,
    ignore: [...alwaysIgnored, ...exclude],
    followSymbolicLinks: false,
    suppressErrors: true,
    objectMode: true,
    stats: true,
  });
  return entries.flatMap(({ path, stats }) =>
    stats?.isFile() === true
      ? [{ path, bytes: stats.size, stamp: `${stats.mtimeMs} ${stats.ctimeMs} ${stats.ino}` }]
      : [],
  );
}

/** Whether a path leads through no symbolic link. */
function linkCheck(root: string): (path: string) => Promise<boolean> {
  const folders = new Map<string, Promise<boolean>>();
  return (path) => {
    const folder = dirname(join(root, path));
    if (path.split('/').includes('..')) return Promise.resolve(false);
    const known = folders.get(folder) ?? isRealPath(folder);
    folders.set(folder, known);
    return known;
  };
}

async function isRealPath(path: string): Promise<boolean> {
  return (await realpath(path).catch(() => null)) === path;
}

/** The bytes of a listed file; null when it is missing, has become a link, or has grown over the limit. */
export async function readListed(baseDir: string, path: string): Promise<Buffer | null> {
  const full = join(await realpath(baseDir), path);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  // The listing was a moment ago: the folder may have become a link since.
  if (!(await isRealPath(dirname(full)))) return null;
  // Without O_NONBLOCK, opening a pipe that took the file's place would wait for ever.
  const handle = await open(full, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => null);
  if (handle === null) return null;
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > knowledgeLimits.fileBytesMax) return null;
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

export { knowledgeLimits } from './left-out.ts';
