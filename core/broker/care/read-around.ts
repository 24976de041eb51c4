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

/** A file that cannot even be opened is read as an empty one. */
export async function readAround(disk: Disk, path: string): Promise<ReadBytes> {
  let file: ReadableFile;
  try {
    file = await disk.openForReading(path);
  } catch (error) {
    return {
      bytes: new Uint8Array(0),
      unreadable: [{ at: 0, bytes: 0, reason: messageOf(error) }],
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
    return messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
