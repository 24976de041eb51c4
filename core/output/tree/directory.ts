/**
 * Folders held by handle, so that a folder swapped for a symbolic link cannot lead a write out of
 * the root. Node has no `openat`; on Linux a name below `/proc/self/fd/N` is the same thing.
 * Elsewhere each step is opened without following links, but by its path.
 */

import { closeSync, constants, existsSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { codeOf, hasCode, messageOf } from '../../base/index.ts';
import { OutputError } from '../output.ts';

export interface Directory {
  readonly handle: FileHandle;
  /** Names below it are reached as `${at}/${name}`. */
  readonly at: string;
}

const heldByDescriptor = existsSync('/proc/self/fd');
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Opens a folder; a path that is a symbolic link is refused. */
export async function openDirectory(path: string): Promise<Directory> {
  const handle = await open(path, directoryFlags);
  return { handle, at: heldByDescriptor ? `/proc/self/fd/${handle.fd}` : path };
}

/** Opens a folder below another one, and makes it when it is missing. */
export async function makeDirectory(
  parent: Directory,
  name: string,
  mode = 0o777,
): Promise<Directory> {
  const path = `${parent.at}/${name}`;
  try {
    return await openDirectory(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // Another process made it first; opening it checks what it is.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  return openDirectory(path);
}

/** What exists at a path below the root. Follows no links and makes nothing. */
export async function kindAt(root: Directory, path: string): Promise<'free' | 'file' | 'folder'> {
  const segments = path.split('/');
  const name = segments.pop() ?? '';
  const opened: Directory[] = [];
  let parent = root;
  try {
    for (const segment of segments) {
      parent = await openDirectory(`${parent.at}/${segment}`);
      opened.push(parent);
    }
    const found = await lstat(`${parent.at}/${name}`);
    return found.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'free';
    throw asOutputError(error, path, root);
  } finally {
    await closeAll(opened);
  }
}

/** The same at once: for threads that keep no leases. */
export function kindAtOnce(root: Directory, path: string): Awaited<ReturnType<typeof kindAt>> {
  const segments = path.split('/');
  const name = segments.pop() ?? '';
  const opened: number[] = [];
  let at = root.at;
  try {
    for (const segment of segments) {
      const fd = openSync(`${at}/${segment}`, directoryFlags);
      opened.push(fd);
      at = heldByDescriptor ? `/proc/self/fd/${fd}` : `${at}/${segment}`;
    }
    const found = lstatSync(`${at}/${name}`, { throwIfNoEntry: false });
    return found === undefined ? 'free' : found.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'free';
    throw asOutputError(error, path, root);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

export async function closeAll(directories: readonly Directory[]): Promise<void> {
  await Promise.all(directories.map((directory) => directory.handle.close()));
}

/**
 * The message of a failed step, with the real paths of the folders it was reached through. Works only
 * while their handles are open.
 */
export function reasonOf(error: unknown): string {
  const message = messageOf(error);
  return withRealPaths(message);
}

function withRealPaths(text: string): string {
  return text.replace(/\/proc\/self\/fd\/\d+/g, (held) => {
    try {
      return readlinkSync(held);
    } catch {
      return 'a folder that was removed';
    }
  });
}

/** A system error as an OutputError; other errors as they are. */
export function asOutputError(error: unknown, what: string, root: Directory): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || error instanceof OutputError || code === '') return error;
  const cause = { cause: error };
  const where = `"${what}" in ${withRealPaths(root.at)}`;
  if (code === 'ELOOP' || code === 'ENOTDIR') {
    const why = 'goes through a link or a file where a folder is needed';
    return new OutputError('path_invalid', `the output path ${where} ${why}`, cause);
  }
  return new OutputError('io', `cannot write ${where}: ${reasonOf(error)}`, cause);
}
