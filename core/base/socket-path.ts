/**
 * Short paths to Unix sockets: the system takes about 100 bytes and says only EINVAL above, so long
 * paths are bound and connected to through another way to the same folder.
 */

import { closeSync, constants, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Longest path that every supported system takes: macOS has 104 bytes, one of them for the end. */
const pathBytesMax = 103;

/** A path that can be bound or connected to, until it is released. */
export interface ShortPath {
  readonly path: string;
  release(): void;
}

/**
 * The path itself when it is short enough, else another way to the same file.
 * @throws Error of the system, such as `ENOENT`, when there is no such folder
 */
export function shortSocketPath(path: string): ShortPath {
  if (Buffer.byteLength(path) <= pathBytesMax) return { path, release: () => {} };
  return process.platform === 'linux' ? throughDescriptor(path) : throughLink(path);
}

/** The folder stays open while the path is in use: `/proc/self/fd` leads to what is open. */
function throughDescriptor(path: string): ShortPath {
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    path: `/proc/self/fd/${folder}/${basename(path)}`,
    release: () => closeSync(folder),
  };
}

function throughLink(path: string): ShortPath {
  const temporary = mkdtempSync(join(tmpdir(), 'aiq-'));
  const link = join(temporary, 's');
  symlinkSync(dirname(path), link);
  return {
    path: join(link, basename(path)),
    release: () => rmSync(temporary, { recursive: true, force: true }),
  };
}
