/**
 * The disk operations that the log uses, as an interface, so that tests and the simulator can
 * replace the disk. Nothing here retries: after an error the log stops.
 */

import { link, open, readdir, readFile, rename, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, messageOf } from '../../../base/index.ts';
import { type DiskSpace, isDiskFull } from './space-limits.ts';

export interface ReadableFile {
  /** Fills `into` from `position` on; returns fewer bytes only where the file ends. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Bytes in the file. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** An open file, written at explicit positions. */
export interface DiskFile extends ReadableFile {
  /** Returns how many bytes were written: fewer than given is not an error here. */
  write(buffers: readonly Uint8Array[], position: number): Promise<number>;
  datasync(): Promise<void>;
  /** Cuts the file to `bytes`; durable with the next `datasync`. */
  truncate(bytes: number): Promise<void>;
}

/** An open folder. */
export interface DiskDir {
  /** Makes the names in it durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** Makes a folder with its parents, their entries durable; an existing one is fine. */
  makeDir(path: string): Promise<void>;
  list(dir: string): Promise<readonly string[]>;
  readFile(path: string): Promise<Uint8Array>;
  /** Opens a new file for writing; an existing one is emptied. */
  create(path: string): Promise<DiskFile>;
  /** Opens an existing file for writing. */
  open(path: string): Promise<DiskFile>;
  openForReading(path: string): Promise<ReadableFile>;
  rename(from: string, to: string): Promise<void>;
  /** Makes a hard link; fails with EEXIST where the name is taken. */
  link(from: string, to: string): Promise<void>;
  /** Removes a file; its space is free once no process has it open. */
  remove(path: string): Promise<void>;
  openDir(path: string): Promise<DiskDir>;
  space(dir: string): Promise<DiskSpace>;
}

/** Jobs are private: only the broker's user reads them. */
const fileMode = 0o600;
const dirMode = 0o700;

export const nodeDisk: Disk = {
  async makeDir(path) {
    const firstMade = makeFolder(path, dirMode);
    if (firstMade === null) return;
    for (let made = path; made.length >= firstMade.length; made = dirname(made)) {
      await syncDir(nodeDisk, dirname(made));
    }
  },
  list: (dir) => readdir(dir),
  readFile: (path) => readFile(path),
  create: (path) => openFile(path, 'w+'),
  open: (path) => openFile(path, 'r+'),
  openForReading: (path) => openFile(path, 'r'),
  rename: (from, to) => rename(from, to),
  link: (from, to) => link(from, to),
  remove: (path) => unlink(path),
  async openDir(path) {
    const handle = await open(path, 'r');
    return { sync: () => handle.sync(), close: () => handle.close() };
  },
  async space(dir) {
    const { blocks, bavail, bsize, files, ffree } = await statfs(dir);
    const freeFiles = files > 0 ? ffree : Number.POSITIVE_INFINITY;
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize, freeFiles };
  },
};

async function openFile(path: string, flags: 'r' | 'r+' | 'w+'): Promise<DiskFile> {
  const handle = await open(path, flags, fileMode);
  return {
    async read(into, position) {
      let filled = 0;
      while (filled < into.length) {
        const { bytesRead } = await handle.read(
          into,
          filled,
          into.length - filled,
          position + filled,
        );
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    size: async () => (await handle.stat()).size,
    write: async (buffers, position) => (await handle.writev([...buffers], position)).bytesWritten,
    datasync: () => handle.datasync(),
    truncate: (bytes) => handle.truncate(bytes),
    close: () => handle.close(),
  };
}

/**
 * Writes all of `buffers`, going on after short writes: on a full disk the system reports a short
 * count first and the error only on the next call.
 * @throws Error of the disk, or when a write makes no progress
 */
export async function writeAll(
  file: DiskFile,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<number> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (rest.length > 0) {
    const written = await file.write(rest, at);
    if (written <= 0) throw new Error(`the disk accepted no byte at position ${at}`);
    at += written;
    rest = skipBytes(rest, written);
  }
  return at - position;
}

function skipBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(buffer.subarray(skip));
    skip = Math.max(0, skip - buffer.length);
  }
  return rest;
}

/** Makes the names in a folder durable. */
export async function syncDir(disk: Disk, path: string): Promise<void> {
  const dir = await disk.openDir(path);
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

/**
 * A file could not be created: no descriptor, inode or space. Nothing depends on it and nothing of it
 * is left, so it may be retried. Any other failure of `replaceFile` is of a write, a sync or a
 * rename, after which the state of the medium is unknown.
 */
export class NotCreatedError extends Error {
  constructor(path: string, cause: unknown) {
    super(`${path} could not be created (${messageOf(cause)})`, {
      cause,
    });
    this.name = 'NotCreatedError';
  }
}

/**
 * Writes a file atomically and durably: under a temporary name, synced, renamed, and the folder
 * synced. Replaces a file of that name. Returns it open.
 * @throws NotCreatedError when the system lacks the resources for a new file
 * @throws Error when a write, a sync or the rename failed
 */
export function replaceFile(
  disk: Disk,
  dir: string,
  name: string,
  content: readonly Uint8Array[],
): Promise<DiskFile> {
  return write(disk, { dir, name, content }, (from, to) => disk.rename(from, to));
}

/**
 * The same for a file that must not exist: an existing one is left unchanged.
 * @throws as `replaceFile`, and Error with the code EEXIST when there is one
 */
export function createFile(
  disk: Disk,
  dir: string,
  name: string,
  content: readonly Uint8Array[],
): Promise<DiskFile> {
  return write(disk, { dir, name, content }, async (from, to) => {
    await disk.link(from, to);
    await disk.remove(from);
  });
}

async function write(
  disk: Disk,
  { dir, name, content }: { dir: string; name: string; content: readonly Uint8Array[] },
  moveTo: (from: string, to: string) => Promise<void>,
): Promise<DiskFile> {
  const path = join(dir, name);
  const temporary = `${path}${temporarySuffix}`;
  const { folder, file } = await openNew(disk, dir, temporary);
  try {
    await writeAll(file, content, 0);
    await file.datasync();
    await moveTo(temporary, path);
  } catch (error) {
    await Promise.allSettled([file.close(), folder.close()]);
    // On a full disk nothing was renamed.
    if (!isDiskFull(error)) throw error;
    await removeIfThere(disk, temporary);
    throw new NotCreatedError(path, error);
  }
  try {
    await folder.sync();
  } catch (error) {
    // The first error is the one to report.
    await file.close().catch(() => undefined);
    throw error;
  } finally {
    await folder.close();
  }
  return file;
}

/** Opens the folder first: a name in it must be made durable once it exists. */
async function openNew(
  disk: Disk,
  dir: string,
  path: string,
): Promise<{ folder: DiskDir; file: DiskFile }> {
  let folder: DiskDir | null = null;
  try {
    folder = await disk.openDir(dir);
    return { folder, file: await disk.create(path) };
  } catch (error) {
    await folder?.close().catch(() => undefined);
    // Only errors of the system are transient; a replaced folder does not come back.
    throw error instanceof Error && 'code' in error ? new NotCreatedError(path, error) : error;
  }
}

/** Removes a file after a failure that is reported elsewhere; otherwise the next start does. */
export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  await disk.remove(path).catch(() => undefined);
}

/** Suffix of temporary files. A crash may leave one; the next start removes it. */
export const temporarySuffix = '.tmp';
