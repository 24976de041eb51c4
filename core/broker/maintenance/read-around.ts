/** Reads what can be read of a file on a failing disk, block by block around what cannot. */

import type { Disk, ReadableFile } from '../log/disk.ts';

/** Bytes that the disk did not give. */
export interface UnreadableBytes {
  readonly at: number;
  readonly bytes: number;
  readonly reason: string;
}

const largeBlock = 256 * 1024;
/** What disks and file systems read at once. */
const smallBlock = 4096;

/** Stands for bytes that are not known. Not zero: zeros would look like a write that was cut short. */
const unknownByte = 0xff;

export interface ReadBytes {
  readonly bytes: Uint8Array;
  readonly unreadable: readonly UnreadableBytes[];
}

/** How Linux names EBADE, EBADMSG and EUCLEAN, which Node has no names for: checksums of a file system failed. */
const checksumErrors = [52, 74, 117].map((errno) => `Unknown system error -${errno}`);
const mediumErrors = new Set(['EIO', 'ENODATA', 'EILSEQ', 'EREMOTEIO', ...checksumErrors]);

/**
 * Why the medium did not give bytes; only these are lost.
 * @throws the error itself when it is another one: what the system could not do says nothing about the bytes
 */
export function mediumProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof Error && mediumErrors.has(String(code))) return error.message;
  throw error;
}

/**
 * A file that the medium does not even let open is read as an empty one.
 * @throws Error for any failure that is not the medium's
 */
export async function readAround(disk: Disk, path: string): Promise<ReadBytes> {
  let file: ReadableFile;
  try {
    file = await disk.openForReading(path);
  } catch (error) {
    return {
      bytes: new Uint8Array(0),
      unreadable: [{ at: 0, bytes: 0, reason: mediumProblem(error) }],
    };
  }
  try {
    const bytes = new Uint8Array(await file.size()).fill(unknownByte);
    const unreadable: UnreadableBytes[] = [];
    for (let at = 0; at < bytes.length; at += largeBlock) {
      const block = bytes.subarray(at, at + largeBlock);
      if ((await readBlock(file, block, at)) === null) continue;
      await readSmall(file, block, { at, unreadable });
    }
    return { bytes, unreadable };
  } finally {
    await file.close();
  }
}

async function readSmall(
  file: ReadableFile,
  block: Uint8Array,
  found: { readonly at: number; readonly unreadable: UnreadableBytes[] },
): Promise<void> {
  for (let from = 0; from < block.length; from += smallBlock) {
    const part = block.subarray(from, from + smallBlock);
    const at = found.at + from;
    const reason = await readBlock(file, part, at);
    if (reason === null) continue;
    part.fill(unknownByte);
    const last = found.unreadable.at(-1);
    if (last !== undefined && last.at + last.bytes === at) {
      found.unreadable.splice(-1, 1, { ...last, bytes: last.bytes + part.length });
    } else found.unreadable.push({ at, bytes: part.length, reason });
  }
}

/** Null when it was read, else why not. */
async function readBlock(file: ReadableFile, into: Uint8Array, at: number): Promise<string | null> {
  try {
    await file.read(into, at);
    return null;
  } catch (error) {
    return mediumProblem(error);
  }
}
