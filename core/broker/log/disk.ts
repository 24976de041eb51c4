/**
 * The few disk operations that the log uses, so that tests and a simulator can stand in for the
 * disk. Nothing here retries: after an error the log stops.
 */

import { link, open, readdir, readFile, rename, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../base/index.ts';
import { isDiskFull } from './space-limits.ts';

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

/** What the file system of a folder holds and has left for us. */
export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** How many more files it can hold; infinite where it does not count them. */
  readonly freeFiles: number;
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
  /** Gives a file one more name; fails with EEXIST where the name is taken. */
  link(from: string, to: string): Promise<void>;
  /** Removes a file; its space is free once nobody has it open. */
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
 * @throws whatever the disk reports, or an Error when a write makes no progress
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
 * A new file could not be made: no descriptor, no inode, no room. Nothing depends on it yet and
 * nothing of it is left, so it may be tried again. Any other failure of `placeFile` is of a write,
 * a sync or a name, and leaves open what the medium has.
 */
export class NotMadeError extends Error {
  constructor(path: string, cause: unknown) {
    super(`${path} could not be made (${cause instanceof Error ? cause.message : String(cause)})`, {
      cause,
    });
    this.name = 'NotMadeError';
  }
}

/**
 * Puts a file with this content under `dir`, all or nothing: written and synced under a temporary
 * name, renamed, and the name made durable. Replaces a file of that name. The file stays open.
 * @throws NotMadeError when the system has nothing left to make a file of
 * @throws Error when a write, a sync or the rename failed
 */
export function placeFile(
  disk: Disk,
  dir: string,
  name: string,
  content: readonly Uint8Array[],
): Promise<DiskFile> {
  return place(disk, { dir, name, content }, (from, to) => disk.rename(from, to));
}

/**
 * The same for a file that must be new: one of that name stays as it is.
 * @throws as `placeFile`, and Error with the code EEXIST when there is one
 */
export function placeNewFile(
  disk: Disk,
  dir: string,
  name: string,
  content: readonly Uint8Array[],
): Promise<DiskFile> {
  return place(disk, { dir, name, content }, async (from, to) => {
    await disk.link(from, to);
    await disk.remove(from);
  });
}

async function place(
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
    // Without room nothing was named.
    if (!isDiskFull(error)) throw error;
    await removeIfThere(disk, temporary);
    throw new NotMadeError(path, error);
  }
  try {
    await folder.sync();
  } catch (error) {
    // The first error is the one to tell; a file that cannot be closed changes nothing.
    await file.close().catch(() => undefined);
    throw error;
  } finally {
    await folder.close();
  }
  return file;
}

/** The folder is open before anything is named in it: what is named must be made durable. */
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
    // Only what the system said may pass: a folder that is another's does not come back.
    throw error instanceof Error && 'code' in error ? new NotMadeError(path, error) : error;
  }
}

/** Clears up after a failure of which the reason is told elsewhere; the next start does it otherwise. */
export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  await disk.remove(path).catch(() => undefined);
}

/** A crash may leave such a file behind; the next start removes it. */
export const temporarySuffix = '.tmp';
