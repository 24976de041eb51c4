/** A PostgreSQL of its own, for the peers that keep their jobs in one. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { accountOf } from './account.ts';
import { versionOf } from './find-peers.ts';
import type { Server, StartOptions } from './peer.ts';
import { freePort, makeFolder, ServerProcess } from './server-process.ts';

export interface PostgresAddress {
  readonly connectionString: string;
}

/** Debian's place, one folder a version. */
const versionsDir = '/usr/lib/postgresql';

/** Every commit is synced; large enough that no checkpoint falls into a window. */
const settings: readonly string[] = [
  'fsync=on',
  'synchronous_commit=on',
  'full_page_writes=on',
  'shared_buffers=512MB',
  'max_wal_size=8GB',
  'checkpoint_timeout=30min',
  'max_connections=1200',
];

export const postgresSettings = `server: postgres ${settings.map((one) => `-c ${one}`).join(' ')}, the rest as initdb makes it`;

export function postgresVersion(): string | null {
  const bin = binDir();
  return bin === null ? null : versionOf([join(bin, 'postgres'), '-V'], /([\d.]+)/);
}

/** The newest; the commands on the PATH want a cluster of the system. */
function binDir(): string | null {
  if (!existsSync(versionsDir)) return null;
  const versions = readdirSync(versionsDir).toSorted((a, b) => Number(b) - Number(a));
  const found = versions.map((version) => join(versionsDir, version, 'bin'));
  return found.find((dir) => existsSync(join(dir, 'initdb'))) ?? null;
}

export async function startPostgres({ dir, prefix }: StartOptions): Promise<Server> {
  const account = accountOf('postgres');
  const bin = binDir() ?? '';
  const data = join(dir, 'data');
  await makeFolder(dir, account);
  const command = (words: readonly string[]) => [...(account?.command ?? []), ...words];
  const run = (words: readonly string[]): number | null => {
    const [file = '', ...args] = command(words);
    return spawnSync(file, args, { cwd: dir, stdio: 'ignore' }).status;
  };
  if (!existsSync(data)) {
    const flags = ['--auth=trust', '--username=bench', '--no-locale', '--encoding=UTF8'];
    const status = run([join(bin, 'initdb'), '-D', data, ...flags]);
    if (status !== 0) throw new Error(`initdb ended with ${status}`);
  }
  const port = String(await freePort());
  const listen = ['-h', '127.0.0.1', '-p', port, '-k', dir];
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const isReady = [join(bin, 'pg_isready'), '-q', '-h', '127.0.0.1', '-p', port];
  const server = await ServerProcess.start({
    words: [join(bin, 'postgres'), '-D', data, ...listen, ...flags],
    cwd: dir,
    account,
    prefix,
    // Fast: ends connections, then writes a checkpoint.
    stopSignal: 'SIGINT',
    isUp: () => Promise.resolve(run(isReady) === 0),
  });
  const connectionString = `postgres://bench@127.0.0.1:${port}/postgres`;
  return { address: { connectionString } satisfies PostgresAddress, process: server };
}

/** The part of the package `pg` that is used here. */
export interface Pool {
  query(text: string, values?: unknown[]): Promise<{ rows: { count: string }[] }>;
  on(event: 'error' | 'connect', listener: (source: object) => void): void;
  end(): Promise<void>;
}

export interface Pg {
  readonly Pool: new (options: { connectionString: string; max: number }) => Pool;
}
