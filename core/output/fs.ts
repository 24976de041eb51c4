/** The calls of the file system that the hot path makes, as promises over plain descriptors. */

import fs from 'node:fs';
import { promisify } from 'node:util';

const writeSome = promisify(fs.write);
const readSome = promisify(fs.read);

export const openFd = promisify(fs.open);
export const closeFd = promisify(fs.close);
export const syncData: (fd: number) => Promise<void> = promisify(fs.fdatasync);
export const link = promisify(fs.link);
export const rename = promisify(fs.rename);
export const unlink = promisify(fs.unlink);

/** Writes all of it, at the position of the descriptor. */
export async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await writeSome(fd, bytes, at, bytes.length - at, null)).bytesWritten;
  }
}

/** The same as `readAt`, at once: for threads that keep no leases, where a trip to the thread pool takes longer. */
export function readAtOnce(fd: number, position: number, into: Buffer): Buffer {
  return into.subarray(0, fs.readSync(fd, into, 0, into.length, position));
}

/** Fills the buffer with bytes from a position on; returns the part that has some, shorter at the end of the file. */
export async function readAt(fd: number, position: number, into: Buffer): Promise<Buffer> {
  const { bytesRead } = await readSome(fd, into, 0, into.length, position);
  return into.subarray(0, bytesRead);
}
