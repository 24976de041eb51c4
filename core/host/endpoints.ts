/**
 * `endpoints.json`: where the broker of a folder says how to reach it. Written by the broker only, and
 * believed only in the folder that it was written for: a copy of the folder has a copy of the file.
 */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Endpoints } from '../base/index.ts';
import {
  AiqError,
  assertOwnFolder,
  assertTrustedFolder,
  connectSocket,
  type Endpoint,
  isLoopback,
  readTokenFile,
  readTrustedFile,
  untrusted,
} from '../client/index.ts';

/**
 * What the folder's broker wrote last, or null when there is nothing that can be read. Where its
 * socket is follows from the folder alone: a copied file would lead to another folder's broker.
 * @throws AiqError `UNTRUSTED` when another user may have written it, or it leads beyond this machine
 */
export async function readEndpoints(dir: string): Promise<Endpoints | null> {
  const file = path.join(dir, 'endpoints.json');
  try {
    const text = await readTrustedFile(file, false);
    const value: unknown = JSON.parse(text);
    const { dev, ino } = await stat(dir, { bigint: true });
    // First of all, for a broker closes its folder itself: without a file of its own there is nothing to believe.
    if (!isEndpoints(value) || value.folder !== `${dev}:${ino}`) return null;
    await assertTrustedFolder(dir);
    assertOnThisMachine(file, value);
    return { ...value, unix: value.unix === null ? null : path.join(dir, 'broker.sock') };
  } catch (error) {
    if (error instanceof AiqError) throw error;
    // Missing, or left over from something else: then no broker can be reached through it.
    return null;
  }
}

function assertOnThisMachine(file: string, { tcp }: Endpoints): void {
  if (tcp === null || isLoopback(tcp.host)) return;
  throw untrusted(
    `${file} leads to ${tcp.host}, which is beyond this machine: no broker wrote that; remove the file`,
  );
}

function isEndpoints(value: unknown): value is Endpoints {
  if (typeof value !== 'object' || value === null) return false;
  const { brokerId, pid, startedAtMs, software, folder, unix, tcp } = value as Record<
    string,
    unknown
  >;
  return (
    typeof brokerId === 'string' &&
    Number.isSafeInteger(pid) &&
    typeof startedAtMs === 'number' &&
    typeof software === 'string' &&
    typeof folder === 'string' &&
    (unix === null || (typeof unix === 'string' && path.isAbsolute(unix))) &&
    (tcp === null || isTcp(tcp))
  );
}

function isTcp(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as Record<string, unknown>;
  return typeof host === 'string' && Number.isSafeInteger(port);
}

/** Someone accepts connections there, and what its broker wrote about itself. */
export interface FoundBroker {
  readonly endpoint: Endpoint;
  readonly endpoints: Endpoints;
}

/**
 * The folder's broker, when a process accepts a connection at the address that it wrote.
 * @throws AiqError `UNTRUSTED` as `readEndpoints`, or when the folder is another user's: nothing may be
 *   started there either; `UNAUTHORIZED` when its token cannot be used
 */
export async function findBroker(dir: string, withinMs: number): Promise<FoundBroker | null> {
  await assertOwnFolder(dir);
  const endpoints = await readEndpoints(dir);
  if (endpoints === null) return null;
  const endpoint = await endpointOf(dir, endpoints);
  if (endpoint === null) return null;
  try {
    const socket = await connectSocket(endpoint, withinMs);
    socket.destroy();
    return { endpoint, endpoints };
  } catch (error) {
    // The file outlives a killed broker: that no process answers is an everyday state.
    if (error instanceof AiqError && error.code === 'UNREACHABLE') return null;
    throw error;
  }
}

async function endpointOf(dir: string, endpoints: Endpoints): Promise<Endpoint | null> {
  const { brokerId, unix, tcp } = endpoints;
  if (unix !== null) return { unix, brokerId };
  if (tcp === null) return null;
  return { ...tcp, token: await readTokenFile(path.join(dir, 'token')), brokerId };
}
