/**
 * What leads to a broker is believed only when no other user of the machine can have made or changed
 * it: the rules by which the broker guards its folder, kept by its clients as well.
 */

import { constants, type Stats } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import path from 'node:path';
import { AiqError } from '../protocol/index.ts';

/** What group and others must not have: any right to it, or the right to change it. */
const anyRight = 0o077;
const writeRight = 0o022;
/** Shortest token that a broker takes, in bytes: it makes them of 64. */
const tokenBytesMin = 32;

/**
 * True for the addresses of this machine that aiq knows as such: no name but `localhost` is resolved,
 * and no short or mapped form of an address is read.
 */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/**
 * Refuses a folder that another user owns. One that does not exist has no owner.
 * @throws AiqError `UNTRUSTED`
 */
export async function assertOwnFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => null);
  const problem = found === null ? null : foreign(dir, found);
  if (problem !== null) throw untrusted(problem);
}

/**
 * Refuses a folder that another user owns or may enter.
 * @throws AiqError `UNTRUSTED`
 * @throws Error of the system when it cannot be checked, such as `ENOENT`
 */
export async function assertTrustedFolder(dir: string): Promise<void> {
  const problem = problemOf(dir, await stat(dir), { forbidden: anyRight, fix: '700' });
  if (problem !== null) throw untrusted(problem);
}

/**
 * Refuses a socket of another user, or in a folder that another user owns or may enter.
 * @throws AiqError `UNTRUSTED`
 * @throws Error of the system when it cannot be checked, such as `ENOENT`
 */
export async function assertTrustedSocket(file: string): Promise<void> {
  await assertTrustedFolder(path.dirname(file));
  const found = await lstat(file);
  if (!found.isSocket())
    throw untrusted(`${file} is no socket; start a broker anew: aiq broker start`);
  // Its mode says nothing: the folder is the guard.
  const problem = foreign(file, found);
  if (problem !== null) throw untrusted(problem);
}

/**
 * The text of a file, unless another user owns it or may change it, or read it when it is secret.
 * @throws AiqError `UNTRUSTED`
 * @throws Error of the system when it cannot be read, such as `ENOENT`
 */
export async function readTrustedFile(file: string, secret: boolean): Promise<string> {
  // Not blocking: opening a pipe in its place would wait for a writer.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // Of the opened file, so that it is the one that is read.
    const found = await handle.stat();
    if (!found.isFile()) throw untrusted(`${file} is no file`);
    const forbidden = secret ? anyRight : writeRight;
    const problem = problemOf(file, found, { forbidden, fix: '600' });
    if (problem !== null) throw untrusted(problem);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/**
 * The token in a file: its text without the line break.
 * @throws AiqError `UNAUTHORIZED` when there is none that may be used
 */
export async function readTokenFile(file: string): Promise<Uint8Array> {
  const text = await readTrustedFile(file, true).catch((error: Error) => {
    const message = `the token file cannot be used (${error.message}); a broker keeps its token in its folder`;
    throw new AiqError('UNAUTHORIZED', message, { cause: error });
  });
  const token = new TextEncoder().encode(text.trim());
  if (token.length >= tokenBytesMin) return token;
  const message = `the token file ${file} holds ${token.length} bytes; a token has at least ${tokenBytesMin}`;
  throw new AiqError('UNAUTHORIZED', message);
}

export function untrusted(message: string): AiqError {
  return new AiqError('UNTRUSTED', message);
}

function problemOf(
  file: string,
  stats: Stats,
  { forbidden, fix }: { readonly forbidden: number; readonly fix: string },
): string | null {
  const owned = foreign(file, stats);
  if (owned !== null || (stats.mode & forbidden) === 0) return owned;
  const mode = (stats.mode & 0o777).toString(8);
  return `${file} is open to other users of this machine (mode ${mode}), so it is not believed: chmod ${fix} ${file}`;
}

function foreign(file: string, { uid }: Stats): string | null {
  const own = process.getuid?.();
  if (own === undefined || uid === own) return null;
  return `${file} belongs to another user (uid ${uid}; this process is uid ${own}), so it is not believed: use a broker folder of your own`;
}
