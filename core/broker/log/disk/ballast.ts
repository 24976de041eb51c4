/** The ballast file: space held back to be freed when the disk is full. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, replaceFile, temporarySuffix } from './disk.ts';

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
 * Written, not only allocated: a file system may promise space that it does not have. Random bytes,
 * because a file system that compresses would store zeros in no space.
 */
export async function createBallast(disk: Disk, dir: string, bytes: number): Promise<void> {
  const piece = randomBytes(Math.min(bytes, 1024 * 1024));
  const content: Uint8Array[] = [];
  for (let left = bytes; left > 0; left -= piece.length) {
    content.push(piece.subarray(0, Math.min(left, piece.length)));
  }
  const file = await replaceFile(disk, dir, ballastName, content);
  await file.close();
}

/** Deletes it; returns whether it existed. */
export async function removeBallast(disk: Disk, dir: string): Promise<boolean> {
  const names = (await disk.list(dir)).filter(
    (name) => name === ballastName || name === `${ballastName}${temporarySuffix}`,
  );
  for (const name of names) await disk.remove(join(dir, name));
  return names.length > 0;
}
