/**
 * What a job's acknowledgement carries, and `aiq jobs result` prints: the text of its only file, or
 * the list of its files with their hashes.
 */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { RenderedFile } from '../../agent/index.ts';
import type { CommitRecord } from '../../output/index.ts';

/** A larger result stays where its files are. */
export const resultBytesMax = 8 * 1024 * 1024;

/** Of a job that was published now. Null when it is too large. */
export function resultOf(
  { files }: CommitRecord,
  root: string,
  rendered: readonly RenderedFile[],
): Uint8Array | null {
  const [only] = rendered;
  const isOne = files.length === 1 && only !== undefined && isContent(files[0], only.content);
  return bounded(Buffer.from(isOne ? only.content : listOf(files, root)));
}

/** Of a job that an earlier attempt published. Null also when its file is not as it was published. */
export async function publishedResult(
  { files }: CommitRecord,
  root: string,
): Promise<Uint8Array | null> {
  const [only] = files;
  if (files.length !== 1 || only === undefined) return bounded(Buffer.from(listOf(files, root)));
  if (only.bytes > resultBytesMax) return null;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(join(root, only.path), flags);
    try {
      if ((await handle.stat()).size !== only.bytes) return null;
      const content = await handle.readFile();
      return isContent(only, content) ? content : null;
    } finally {
      await handle.close();
    }
  } catch {
    // Moved or removed by now: the acknowledgement does without.
    return null;
  }
}

type File = CommitRecord['files'][number];

function isContent(file: File | undefined, content: string | Uint8Array): boolean {
  return file?.sha256 === createHash('sha256').update(content).digest('hex');
}

function listOf(files: readonly File[], root: string): string {
  const listed = files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes }));
  return JSON.stringify({ root, files: listed });
}

function bounded(bytes: Uint8Array): Uint8Array | null {
  return bytes.length <= resultBytesMax ? bytes : null;
}
