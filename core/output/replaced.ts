/** Removes the files of an earlier result that a new one replaces, unless a person changed them. */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rmdir, unlink } from 'node:fs/promises';
import { codeOf } from '../base/index.ts';
import { inChunks } from './chunks.ts';
import type { Indexed, IndexedFile } from './output.ts';
import { closeAll, type Directory, openDirectory } from './tree/directory.ts';
import type { Tree } from './tree/tree.ts';

/** Whether the path is a file of the result, unchanged since it was written. */
export async function isUnchangedPart(
  tree: Tree,
  result: Indexed | null,
  path: string,
): Promise<boolean> {
  const file = result?.files.find((one) => one.path === path);
  return file !== undefined && (await inFolderOf(tree, path, (at) => isAsPublished(at, file)));
}

/** Removes the result's unchanged files, and the folders that are empty then. */
export async function removeUnchanged(tree: Tree, { files }: Indexed): Promise<void> {
  await inChunks(files, (file) =>
    inFolderOf(tree, file.path, async (at) => {
      if (!(await isAsPublished(at, file))) return false;
      await unlink(at);
      return true;
    }),
  );
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) {
    await inFolderOf(tree, folder, async (at) => {
      await rmdir(at);
      return true;
    });
  }
}

/** `a/b/c` lies in `a` and in `a/b`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function isAsPublished(at: string, { bytes, sha256 }: IndexedFile): Promise<boolean> {
  const handle = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size !== bytes) return false;
    return (
      createHash('sha256')
        .update(await handle.readFile())
        .digest('hex') === sha256
    );
  } finally {
    await handle.close();
  }
}

/** False also for what is missing, not empty, or of another kind by now. */
async function inFolderOf(
  tree: Tree,
  path: string,
  use: (at: string) => Promise<boolean>,
): Promise<boolean> {
  const segments = path.split('/');
  const name = segments.pop() ?? '';
  const opened: Directory[] = [];
  let parent = tree.root;
  try {
    for (const segment of segments) {
      parent = await openDirectory(`${parent.at}/${segment}`);
      opened.push(parent);
    }
    return await use(`${parent.at}/${name}`);
  } catch (error) {
    const others = [
      'ENOENT',
      'ENOTDIR',
      'ELOOP',
      'ENOTEMPTY',
      'EEXIST',
      'EISDIR',
      'ENXIO',
      'EBUSY',
    ];
    if (others.includes(codeOf(error))) return false;
    throw error;
  } finally {
    await closeAll(opened);
  }
}
