/** The folders of one output root: the results themselves and, under `.aiq/`, index and unfinished files. */

import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, FolderError, makeFolder } from '../../base/index.ts';
import { OutputError } from '../output.ts';
import { closeAll, type Directory, makeDirectory, openDirectory, reasonOf } from './directory.ts';

export interface Tree {
  /** Resolved path of the root, for messages. */
  readonly path: string;
  readonly root: Directory;
  readonly own: Directory;
  /** Files that have no name yet. */
  readonly unfinished: Directory;
}

/** Other users must not read what is not published yet. */
const unfinishedMode = 0o700;

/**
 * Opens or makes the folders of a root.
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
    const unfinished = await hold(makeDirectory(own, 'unfinished', unfinishedMode));
    return { path: real, root, own, unfinished };
  } catch (error) {
    // The message is made before the handles close: it takes the real paths from them.
    const failure = openFailure(path, error);
    await closeAll(opened);
    throw failure;
  }
}

/** Frees the handles of a tree. */
export async function closeTree({ root, own, unfinished }: Tree): Promise<void> {
  await closeAll([root, own, unfinished]);
}

const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);
const folderFix = 'Choose another folder, or mend that one.';

/** The error of a folder that cannot be opened or probed. */
export function openFailure(path: string, error: unknown): OutputError {
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
