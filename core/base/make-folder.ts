/**
 * Makes a folder with its missing parents, one step for each. Node's own `recursive` mkdir never
 * ends where an existing folder answers ENOENT to a new name, as `/proc` does.
 */

import { mkdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CodedError, codeOf, messageOf } from './errors.ts';

/** A folder that cannot be made or used. Message: the folder, the part of its path at fault, the reason; code: the system's. */
export class FolderError extends CodedError {
  /** What prevents it, with the place. */
  readonly reason: string;

  constructor(
    path: string,
    reason: string,
    cause: { readonly code: string; readonly error?: unknown },
    task: 'make' | 'use' = 'make',
  ) {
    const message = `cannot ${task} the folder ${path}: ${reason} (${cause.code})`;
    super(cause.code, message, { cause: cause.error });
    this.reason = `${reason} (${cause.code})`;
  }
}

/**
 * Makes the folder and what is missing above it. Returns the topmost folder that was missing, or
 * null when all of them stood.
 * @throws FolderError
 */
export function makeFolder(path: string, mode = 0o777): string | null {
  const folder = resolve(path);
  const missing: string[] = [];
  // Ends at the root at the latest, which is a folder.
  for (let at = folder; !isFolder(at, folder); at = dirname(at)) missing.unshift(at);
  for (const at of missing) makeOne(at, folder, mode);
  return missing[0] ?? null;
}

/** @throws FolderError when something else exists there */
function isFolder(at: string, wanted: string): boolean {
  let found: Stats | undefined;
  try {
    // Undefined also below a file; then the file itself is met one step further up.
    found = statSync(at, { throwIfNoEntry: false });
  } catch (error) {
    throw refusal(wanted, at, error);
  }
  if (found === undefined || found.isDirectory()) return found !== undefined;
  throw new FolderError(wanted, `${at} is a file`, { code: 'ENOTDIR' });
}

function makeOne(at: string, wanted: string, mode: number): void {
  try {
    mkdirSync(at, { mode });
  } catch (error) {
    // Another process may have been faster; a link that leads nowhere has the name and is no folder.
    if (codeOf(error) !== 'EEXIST') throw refusal(wanted, at, error);
    if (isFolder(at, wanted)) return;
    throw new FolderError(wanted, `${at} is a link to ${targetOf(at)}, which is not there`, {
      code: 'ENOENT',
      error,
    });
  }
}

const reasons: { readonly [code: string]: (at: string) => string } = {
  EACCES: (at) => `no right to enter or to write at ${at}`,
  EPERM: (at) => `the file system does not allow ${at}`,
  ENOENT: (at) => `${dirname(at)} takes no new folders`,
  EROFS: (at) => `the file system of ${at} is read-only`,
  ENOSPC: (at) => `the disk of ${at} is full`,
  ELOOP: (at) => `the links at ${at} lead in a circle`,
  ENAMETOOLONG: () => 'the path is too long',
};

function refusal(wanted: string, at: string, error: unknown): FolderError {
  const code = codeOf(error);
  const reason = reasons[code]?.(at) ?? messageOf(error);
  return new FolderError(wanted, reason, { code: code || 'EIO', error });
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return 'somewhere';
  }
}
