/**
 * The folders of one output root: the results themselves and, under `.aiq/`, staged results,
 * commit records and provenance records.
 */

import { randomBytes } from 'node:crypto';
import { link, realpath, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, FolderError, makeFolder } from '../base/index.ts';
import { closeAll, type Directory, makeDirectory, openDirectory, reasonOf } from './directory.ts';
import { createDirectorySync, directoryKey, type SyncDirectory } from './directory-sync.ts';
import { OutputError } from './output.ts';

export interface Tree {
  /** Resolved path of the root, for messages. */
  readonly path: string;
  readonly root: Directory;
  readonly staged: Directory;
  readonly commit: Directory;
  readonly provenance: Directory;
  readonly sync: SyncDirectory;
  /** Makes sure that the name of a folder is durable in its parent; syncs once per folder. */
  readonly keep: (parent: Directory, child: Directory) => Promise<void>;
}

/** Other users must not read what is not published yet. */
const stagedMode = 0o700;
const keptMax = 10_000;

/**
 * Opens or makes the folders of a root and checks that the file system has hard links.
 * @throws OutputError `io`
 */
export async function openTree(path: string): Promise<Tree> {
  const opened: Directory[] = [];
  const hold = async (opening: Promise<Directory>): Promise<Directory> => {
    const directory = await opening;
    opened.push(directory);
    return directory;
  };
  try {
    makeFolder(path);
    const real = await realpath(path);
    const root = await hold(openDirectory(real));
    const own = await hold(makeDirectory(root, '.aiq'));
    const staged = await hold(makeDirectory(own, 'staged', stagedMode));
    const commit = await hold(makeDirectory(own, 'commit'));
    const provenance = await hold(makeDirectory(own, 'provenance'));
    await tryHardLinks(staged);
    const sync = createDirectorySync();
    await Promise.all([sync(root), sync(own)]);
    await own.handle.close();
    opened.splice(opened.indexOf(own), 1);
    return { path: real, root, staged, commit, provenance, sync, keep: createKeeper(sync) };
  } catch (error) {
    // The message is made before the handles close: it takes the real paths from them.
    const failure = openFailure(path, error);
    await closeAll(opened);
    throw failure;
  }
}

/** Frees the handles of a tree. */
export async function closeTree(tree: Tree): Promise<void> {
  await closeAll([tree.root, tree.staged, tree.commit, tree.provenance]);
}

function createKeeper(sync: SyncDirectory): Tree['keep'] {
  const kept = new Set<string>();
  return async (parent, child) => {
    const key = directoryKey(child);
    if (kept.has(key)) return;
    await sync(parent);
    if (kept.size >= keptMax) kept.clear();
    kept.add(key);
  };
}

async function tryHardLinks(staged: Directory): Promise<void> {
  const probe = `${staged.at}/probe.${randomBytes(8).toString('hex')}`;
  await writeFile(probe, '', { flag: 'wx' });
  try {
    await link(probe, `${probe}.link`);
    await unlink(`${probe}.link`);
  } finally {
    await unlink(probe);
  }
}

const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);
const folderFix = 'Choose another folder, or mend that one.';

function openFailure(path: string, error: unknown): OutputError {
  const cause = { cause: error };
  const what = `the output folder ${path} cannot be used`;
  if (isLinkFailure(error)) {
    const why = `its file system has no hard links (${codeOf(error)})`;
    return new OutputError('io', `${what}: ${why}. Choose a folder on a local disk.`, cause);
  }
  if (error instanceof FolderError) {
    return new OutputError('io', `${what}: ${error.reason}. ${folderFix}`, cause);
  }
  if (['ELOOP', 'ENOTDIR'].includes(codeOf(error))) {
    const why = `${join(path, '.aiq')} or a folder in it is a link or a file`;
    return new OutputError('io', `${what}: ${why}. Remove it.`, cause);
  }
  return new OutputError('io', `${what}: ${reasonOf(error)}. ${folderFix}`, cause);
}

function isLinkFailure(error: unknown): boolean {
  const isLink = error instanceof Error && 'syscall' in error && error.syscall === 'link';
  return isLink && noHardLinks.has(codeOf(error));
}
