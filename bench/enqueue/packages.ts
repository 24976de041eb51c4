/** The packages of the other side, in a git-ignored folder of their own: they are no dependencies. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const versions = { bullmq: '6.7.0', ioredis: '5.11.1' } as const;
const folder = fileURLToPath(new URL('../.peers', import.meta.url));
const installMs = 120_000;

export const packageNames: string = Object.entries(versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(', ');

/**
 * Brings the pinned versions in unless they are there, and returns the folder to load them from.
 * @throws Error with npm's own words when that fails
 */
export async function peerPackages(): Promise<string> {
  for (const [name, version] of Object.entries(versions)) {
    if ((await installed(name)) === version) continue;
    install();
    break;
  }
  return folder;

  function install(): void {
    process.stdout.write(`installing ${packageNames} into bench/.peers\n`);
    const wanted = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
    const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { status, stderr, error } = spawnSync(
      'npm',
      ['install', '--prefix', folder, ...quiet, ...wanted],
      { encoding: 'utf8', timeout: installMs, cwd: folder },
    );
    if (status !== 0) throw new Error(`npm cannot install: ${error?.message ?? stderr.trim()}`);
  }
}

async function installed(name: string): Promise<string | null> {
  const file = join(folder, 'node_modules', name, 'package.json');
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    return null;
  }
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
