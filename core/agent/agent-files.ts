/** The files of one agent's folder: read only inside it, and remembered for the digest. */

import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

/** Largest template, schema or tool file: 1 MiB. */
const fileBytesMax = 1024 * 1024;

export type FileResult =
  | { readonly ok: true; readonly path: string; readonly bytes: Buffer }
  | { readonly ok: false; readonly message: string };

export interface AgentFiles {
  /** Reads a file named relative to the folder; refuses what lies outside, symbolic links followed. */
  read(name: string): FileResult;
  /** SHA-256 (hex) over the agent's name, the manifest and every file that was read. */
  digest(agentName: string, manifest: Buffer): string;
}

export function createAgentFiles(dir: string): AgentFiles {
  const root = realpathSync(dir);
  const read = new Map<string, Buffer>();
  return {
    read(name) {
      const result = readInside(dir, root, name);
      if (result.ok) read.set(relative(dir, result.path).split(sep).join('/'), result.bytes);
      return result;
    },
    digest(agentName, manifest) {
      const hash = createHash('sha256');
      // Names are relative and lengths are written out: the same agent has the same digest on every
      // machine, and no two sets of files can be read as one another.
      const add = (name: string, bytes: Uint8Array): void => {
        hash.update(`${Buffer.byteLength(name)}:${name}:${bytes.length}:`).update(bytes);
      };
      add(agentName, manifest);
      for (const name of [...read.keys()].sort()) add(name, read.get(name) ?? Buffer.alloc(0));
      return hash.digest('hex');
    },
  };
}

function readInside(dir: string, root: string, name: string): FileResult {
  const path = join(dir, name);
  if (isAbsolute(name) || name.includes('\0') || leaves(dir, path)) {
    return { ok: false, message: `"${name}" leaves the agent's folder` };
  }
  try {
    if (leaves(root, realpathSync(path))) {
      return { ok: false, message: `"${name}" is a link that leaves the agent's folder` };
    }
    const stat = statSync(path);
    if (!stat.isFile()) return { ok: false, message: `"${name}" is no file` };
    if (stat.size > fileBytesMax) {
      return {
        ok: false,
        message: `"${name}" has ${stat.size} bytes; ${fileBytesMax} are allowed`,
      };
    }
    return { ok: true, path, bytes: readFileSync(path) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown'})`;
    return { ok: false, message: `"${name}" ${reason}` };
  }
}

function leaves(root: string, path: string): boolean {
  const below = relative(root, path);
  return below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below);
}
