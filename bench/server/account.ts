/** The account that a server runs under which refuses to run as root: the one of its own package. */

import { spawnSync } from 'node:child_process';

export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Runs what follows under this account. */
  readonly command: readonly string[];
}

/**
 * Null for whoever is not root: the server then runs under the own account.
 * @throws Error when there is no such account
 */
export function accountOf(name: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`root cannot start this server without an account "${name}"`);
    return Number(stdout);
  }) as [number, number];
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return { uid, gid, command: ['setpriv', ...ids, '--'] };
}
