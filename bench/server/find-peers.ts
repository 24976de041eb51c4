/** The systems that can be compared: aiq, and each file of `bench/peers/` beside it. */

import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.ts';

const folder = fileURLToPath(new URL('../peers/', import.meta.url));

/** aiq first, then the others by name. */
export async function allPeers(): Promise<Peer[]> {
  const files = await readdir(folder);
  const names = files.map((file) => file.slice(0, -'.ts'.length)).sort();
  const peers = await Promise.all(names.map(peerNamed));
  return peers.toSorted((a, b) => Number(b.name === 'aiq') - Number(a.name === 'aiq'));
}

/** @throws Error when there is no such file */
export async function peerNamed(name: string): Promise<Peer> {
  const { peer } = (await import(`../peers/${name}.ts`)) as { peer: Peer };
  return peer;
}

/** What a program says of its version; null when it is not there. */
export function versionOf(command: readonly string[], pattern: RegExp): string | null {
  const [file = '', ...args] = command;
  const { stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (error !== undefined) return null;
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown';
}
