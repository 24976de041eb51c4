/** What the disk below a folder does: its kind, and how fast it makes small writes durable. */

import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const blockBytes = 4096;
const probeMs = 300;

/** Appends of 4 KiB that the disk makes durable in a second, one after the other. */
export async function syncsPerSecond(dir: string): Promise<number> {
  const file = await open(join(dir, 'probe'), 'w');
  const block = Buffer.alloc(blockBytes, 'x');
  const startMs = performance.now();
  let count = 0;
  while (performance.now() < startMs + probeMs) {
    await file.write(block);
    await file.datasync();
    count++;
  }
  await file.close();
  return (count * 1000) / (performance.now() - startMs);
}

/** The kind of file system that a folder lies on, such as `ext4`; `unknown` where that is not told. */
export async function fileSystemOf(dir: string): Promise<string> {
  const table = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const mounts = table
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = ' ']) => dir === point || dir.startsWith(point.replace(/\/?$/, '/')))
    .toSorted(([, one = ''], [, other = '']) => other.length - one.length);
  return mounts[0]?.[2] ?? 'unknown';
}
