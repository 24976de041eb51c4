/** The peers' npm clients, in a git-ignored folder of their own: they are no dependencies. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.ts';

const folder = fileURLToPath(new URL('../../node_modules/.cache/bench-peers', import.meta.url));
const installMs = 180_000;

/**
 * Brings the pinned versions in unless they are there.
 * @throws Error with npm's own words when that fails
 */
export function installPackages(peers: readonly Peer[]): void {
  const wanted = peers.flatMap((peer) => Object.entries(peer.packages));
  if (wanted.every(([name, version]) => installedVersion(name) === version)) return;
  const names = wanted.map(([name, version]) => `${name}@${version}`);
  process.stdout.write(`installing ${names.join(', ')} into node_modules/.cache/bench-peers\n`);
  mkdirSync(folder, { recursive: true });
  const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr, error } = spawnSync(
    'npm',
    ['install', '--prefix', folder, ...quiet, ...names],
    { encoding: 'utf8', timeout: installMs, cwd: folder },
  );
  if (status !== 0) throw new Error(`npm cannot install: ${error?.message ?? stderr.trim()}`);
}

/** A module of these packages. */
export const loadPackage: (name: string) => unknown = createRequire(`${folder}/`);

function installedVersion(name: string): string | null {
  const file = join(folder, 'node_modules', name, 'package.json');
  if (!existsSync(file)) return null;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
