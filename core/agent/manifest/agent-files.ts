/** The files of one agent's folder: read only inside it. */

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { codeOf } from '../../base/index.ts';

/** Largest template, schema or tool file: 1 MiB. */
const fileBytesMax = 1024 * 1024;

export type FileResult =
  | { readonly ok: true; readonly path: string; readonly bytes: Buffer }
  | { readonly ok: false; readonly message: string };

export interface AgentFiles {
  /** Reads a file named relative to the folder; refuses what lies outside, symbolic links followed. */
  read(name: string): FileResult;
}

export function createAgentFiles(dir: string): AgentFiles {
  const root = realpathSync(dir);
  return { read: (name) => readInside(dir, root, name) };
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
    const code = codeOf(error);
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code || 'unknown'})`;
    return { ok: false, message: `"${name}" ${reason}` };
  }
}

function leaves(root: string, path: string): boolean {
  const below = relative(root, path);
  return below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below);
}
