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
import { type Endpoints } from '../../base/index.ts';
import type { HeldFolder } from './held-folder.ts';
import { StartError } from './prepare-folder.ts';

const privateFile = 0o600;
const tokenBytes = 32;

/** Publishes the endpoints, atomically. */
export function writeEndpoints(folder: HeldFolder, endpoints: Endpoints): void {
  replaceTextFile(folder, 'endpoints.json', `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** Removes the file when it is of this broker; `null` removes that of any earlier broker. */
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

/** Writes a small file atomically; durably only with `isDurable`. */
export function replaceTextFile(
  folder: HeldFolder,
  name: string,
  text: string,
  { isDurable }: { readonly isDurable: boolean } = { isDurable: false },
): void {
  const temporary = folder.path(`${name}.tmp`);
  folder.check();
  // A leftover of a crash may be a link, or have another mode.
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
 * The token for TCP clients: the text in `<dir>/token`, created on first use.
 * @throws StartError when the file holds no token, or is of another user
 */
export function readOrMakeToken(folder: HeldFolder, onNotice: (text: string) => void): Uint8Array {
  // A crash at the first use may leave an empty file, with which no client was accepted.
  const token = readToken(folder, onNotice) || makeToken(folder);
  if (token.length < tokenBytes) {
    const file = join(folder.dir, 'token');
    throw new StartError(
      `${file} holds no token: it has ${token.length} characters, at least ${tokenBytes} are needed; remove it to get a new one`,
    );
  }
  return new TextEncoder().encode(token);
}

function makeToken(folder: HeldFolder): string {
  const token = randomBytes(tokenBytes).toString('hex');
  replaceTextFile(folder, 'token', `${token}\n`, { isDurable: true });
  return token;
}

/** Empty when there is no file. */
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
    throw new StartError(
      `${file} is a symbolic link; replace it with a file that holds the token, or remove it`,
    );
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile() || found.uid !== process.getuid?.()) {
      throw new StartError(
        `${file} is not a regular file of this user; remove it to get a new token`,
      );
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
