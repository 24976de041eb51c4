/**
 * The files of a broker's folder beside its log: `endpoints.json` (how to reach the broker that
 * serves it now) and `token` (who may talk to it over TCP).
 */

import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../files/index.ts';

/** What `endpoints.json` holds; clients read it to find the broker. */
export interface Endpoints {
  readonly brokerId: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly software: string;
  /** Absolute path of the Unix socket. */
  readonly unix: string | null;
  readonly tcp: { readonly host: string; readonly port: number } | null;
}

const privateFolder = 0o700;
const privateFile = 0o600;
const tokenBytes = 32;

/**
 * Makes the folder if need be, and closes it to other users: its mode guards the Unix socket.
 * @throws FolderError when it cannot be made
 * @throws Error when it is another user's; nothing in it was touched then
 */
export function prepareFolder(dir: string): void {
  const path = resolve(dir);
  const firstMade = makeFolder(path, privateFolder) ?? path;
  if (statSync(path).uid !== process.getuid?.()) {
    const message = `${path} belongs to another user; use a folder of your own`;
    throw Object.assign(new Error(message), { code: 'EACCES', syscall: 'chmod', path });
  }
  chmodSync(path, privateFolder);
  // A log is only as durable as the name of the folder that holds it, whoever made that.
  let folder = path;
  do {
    folder = dirname(folder);
    syncFolder(folder);
  } while (folder.length >= firstMade.length && folder !== dirname(folder));
}

/** Makes the names in the folder durable, unless it is not ours to read: then nobody made any. */
function syncFolder(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (isError(error, 'EACCES')) return;
    throw error;
  }
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function isError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Tells clients where to connect; atomic, so that none reads half of it. */
export function writeEndpoints(dir: string, endpoints: Endpoints): void {
  const file = join(dir, 'endpoints.json');
  const temporary = `${file}.${endpoints.pid}`;
  writeFileSync(temporary, `${JSON.stringify(endpoints, null, 2)}\n`, { mode: privateFile });
  renameSync(temporary, file);
}

export function removeEndpoints(dir: string): void {
  rmSync(join(dir, 'endpoints.json'), { force: true });
}

/** The token that TCP clients must show: the text in `<dir>/token`, made on first use. */
export function readOrMakeToken(dir: string): Uint8Array {
  const file = join(dir, 'token');
  try {
    writeFileSync(file, `${randomBytes(tokenBytes).toString('hex')}\n`, {
      mode: privateFile,
      flag: 'wx',
    });
  } catch (error) {
    if (!isError(error, 'EEXIST')) throw error;
  }
  const token = readFileSync(file, 'utf8').trim();
  if (token.length < tokenBytes)
    throw new Error(`${file} holds no token; remove it to get a new one`);
  return new TextEncoder().encode(token);
}
