/** What the disk below a folder does: its kind, and how fast it makes small writes durable. */

import { lstat, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

const blockBytes = 4096;
const probeMs = 300;
/** Of which the fastest counts. */
const bandwidthBlocks = [256, 1_024, 4_096].map((kibibytes) => kibibytes * 1024);

/** Appends of 4 KiB that the disk makes durable in a second, one after the other. */
export async function syncsPerSecond(dir: string): Promise<number> {
  return (await appendBytesPerSecond(dir, blockBytes)) / blockBytes;
}

/** Bytes that the disk makes durable in a second when they are appended in large blocks. */
export async function durableBytesPerSecond(dir: string): Promise<number> {
  let most = 0;
  for (const bytes of bandwidthBlocks) {
    most = Math.max(most, await appendBytesPerSecond(dir, bytes));
  }
  return most;
}

async function appendBytesPerSecond(dir: string, bytes: number): Promise<number> {
  const path = join(dir, 'probe');
  const file = await open(path, 'w');
  const block = Buffer.alloc(bytes, 'x');
  const startMs = performance.now();
  let count = 0;
  while (performance.now() < startMs + probeMs) {
    await file.write(block);
    await file.datasync();
    count++;
  }
  const elapsedMs = performance.now() - startMs;
  await file.close();
  await rm(path);
  return (count * bytes * 1000) / elapsedMs;
}

/** What the files below a folder occupy. */
export async function bytesBelow(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(
    entries.map(async (entry) => (await lstat(join(entry.parentPath, entry.name))).blocks * 512),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
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
