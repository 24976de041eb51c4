/**
 * The files of a broker's folder beside its log: `endpoints.json` (how to reach the broker that
 * serves it now) and `token` (who may talk to it over TCP).
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { HeldFolder } from './held-folder.ts';
import { StartError } from './prepare-folder.ts';

/** What `endpoints.json` holds; clients read it to find the broker. */
export interface Endpoints {
  readonly brokerId: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly software: string;
  /** Device and inode of the folder: in a copy of the folder the file speaks of another one. */
  readonly folder: string;
  /** Absolute path of the Unix socket. */
  readonly unix: string | null;
  readonly tcp: { readonly host: string; readonly port: number } | null;
}

const privateFile = 0o600;
const tokenBytes = 32;

/** Tells clients where to connect; atomic, so that none reads half of it. */
export function writeEndpoints(folder: HeldFolder, endpoints: Endpoints): void {
  placeText(folder, 'endpoints.json', `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** Takes them away when they are this broker's, or whoever wrote them is gone (`null`). */
export function removeEndpoints(folder: HeldFolder, brokerId: string | null): void {
  const file = folder.path('endpoints.json');
  if (brokerId !== null && !readText(file).includes(brokerId)) return;
  folder.check();
  rmSync(file, { force: true });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Puts a small file in the folder, all or nothing; durable only where that is asked for. */
export function placeText(
  folder: HeldFolder,
  name: string,
  text: string,
  { isDurable }: { readonly isDurable: boolean } = { isDurable: false },
): void {
  const temporary = folder.path(`${name}.tmp`);
  folder.check();
  // What a crash left may be a link, or not for the owner alone.
  rmSync(temporary, { force: true });
  const descriptor = openSync(temporary, 'wx', privateFile);
  try {
    writeFileSync(descriptor, text);
    if (isDurable) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  folder.check();
  renameSync(temporary, folder.path(name));
}

/**
 * The token that TCP clients must show: the text in `<dir>/token`, made on first use.
 * @throws StartError when what is there is none, or may be another user's
 */
export function readOrMakeToken(folder: HeldFolder, onNotice: (text: string) => void): Uint8Array {
  // A crash at the first use may leave an empty file; nobody was ever let in with it.
  const token = readToken(folder, onNotice) || makeToken(folder);
  if (token.length < tokenBytes) {
    const file = join(folder.dir, 'token');
    throw new StartError(
      `${file} holds no token: ${token.length} characters, at least ${tokenBytes} are needed; remove it to get a new one`,
    );
  }
  return new TextEncoder().encode(token);
}

function makeToken(folder: HeldFolder): string {
  const token = randomBytes(tokenBytes).toString('hex');
  placeText(folder, 'token', `${token}\n`, { isDurable: true });
  return token;
}

/** Empty when there is none. */
function readToken(folder: HeldFolder, onNotice: (text: string) => void): string {
  const file = join(folder.dir, 'token');
  let descriptor: number;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    descriptor = openSync(folder.path('token'), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    if (code !== 'ELOOP') throw error;
    throw new StartError(`${file} is a link; put the token itself there, or remove it`);
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile() || found.uid !== process.getuid?.()) {
      throw new StartError(`${file} is no file of yours; remove it to get a new token`);
    }
    const mode = found.mode & 0o777;
    if ((mode & 0o077) !== 0) {
      fchmodSync(descriptor, privateFile);
      onNotice(
        `closed ${file} to other users: its mode was ${mode.toString(8)}; if one may have read it, remove it and start again for a new token`,
      );
    }
    return readFileSync(descriptor, 'utf8').trim();
  } finally {
    closeSync(descriptor);
  }
}
