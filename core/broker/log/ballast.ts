/** A file that only takes space, so that there is some to give back when the disk is full. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, placeFile, temporarySuffix } from './disk.ts';

const ballastName = 'ballast';

/** Bytes of the ballast; 0 when there is none. */
export async function ballastBytesIn(disk: Disk, dir: string): Promise<number> {
  if (!(await disk.list(dir)).includes(ballastName)) return 0;
  const file = await disk.openForReading(join(dir, ballastName));
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}

/**
 * Really written, not only reserved: a file system may promise space that it does not have. Of
 * random bytes, because one that compresses would hold nothing back with zeros.
 */
export async function placeBallast(disk: Disk, dir: string, bytes: number): Promise<void> {
  const piece = randomBytes(Math.min(bytes, 1024 * 1024));
  const content: Uint8Array[] = [];
  for (let left = bytes; left > 0; left -= piece.length) {
    content.push(piece.subarray(0, Math.min(left, piece.length)));
  }
  const file = await placeFile(disk, dir, ballastName, content);
  await file.close();
}

/** Gives the space back; returns whether there was any to give. */
export async function removeBallast(disk: Disk, dir: string): Promise<boolean> {
  const names = (await disk.list(dir)).filter(
    (name) => name === ballastName || name === `${ballastName}${temporarySuffix}`,
  );
  for (const name of names) await disk.remove(join(dir, name));
  return names.length > 0;
}
