/** What lies under a name, held against the content that should. */

import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { codeOf } from '../base/index.ts';
import type { IndexedFile, ResultFile } from './output.ts';

export function indexedFile({ path, content }: ResultFile): IndexedFile {
  return { path, sha256: hash('sha256', content, 'hex'), bytes: content.length };
}

/**
 * `torn`: empty, or the beginning of the content, or the content with blocks of zeros in it, as a power cut
 * leaves a file that was not synced; nothing that a person writes.
 */
export type Found = 'missing' | 'same' | 'torn' | 'other' | 'folder';

/** @param at path through held folders */
export async function compare(at: string, content: Uint8Array): Promise<Found> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const handle = await open(at, flags);
    try {
      const stat = await handle.stat();
      if (stat.isDirectory()) return 'folder';
      if (!stat.isFile() || stat.size > content.length) return 'other';
      const found = await handle.readFile();
      if (found.equals(content)) return 'same';
      return found.every((byte, index) => byte === 0 || byte === content[index]) ? 'torn' : 'other';
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing';
    // A link, or something else that is no file of ours.
    if (['ELOOP', 'ENXIO', 'EACCES'].includes(codeOf(error))) return (await kindOf(at)) ?? 'other';
    throw error;
  }
}

async function kindOf(at: string): Promise<Found | null> {
  return (await lstat(at)).isDirectory() ? 'folder' : null;
}
