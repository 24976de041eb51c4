/** `endpoints.json`: where the broker of a folder says how to reach it. Written by the broker only. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { connectSocket, type Endpoint } from '../client/index.ts';

export interface Endpoints {
  readonly brokerId: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly software: string;
  /** Absolute path of the Unix socket. */
  readonly unix: string | null;
  readonly tcp: { readonly host: string; readonly port: number } | null;
}

/** What the folder's broker wrote last, or null when there is nothing that can be read. */
export async function readEndpoints(dir: string): Promise<Endpoints | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path.join(dir, 'endpoints.json'), 'utf8'));
    return isEndpoints(value) ? value : null;
  } catch {
    // Missing, or left over from something else: then no broker can be reached through it.
    return null;
  }
}

function isEndpoints(value: unknown): value is Endpoints {
  if (typeof value !== 'object' || value === null) return false;
  const { brokerId, pid, startedAtMs, software, unix, tcp } = value as Record<string, unknown>;
  return (
    typeof brokerId === 'string' &&
    Number.isSafeInteger(pid) &&
    typeof startedAtMs === 'number' &&
    typeof software === 'string' &&
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

/** The folder's broker, when somebody accepts a connection at the address that it wrote. */
export async function findBroker(dir: string, withinMs: number): Promise<FoundBroker | null> {
  const endpoints = await readEndpoints(dir);
  if (endpoints === null) return null;
  const endpoint = await endpointOf(dir, endpoints);
  if (endpoint === null) return null;
  try {
    const socket = await connectSocket(endpoint, withinMs);
    socket.destroy();
    return { endpoint, endpoints };
  } catch {
    // The file outlives a killed broker: that nobody answers is an everyday state.
    return null;
  }
}

async function endpointOf(dir: string, { unix, tcp }: Endpoints): Promise<Endpoint | null> {
  if (unix !== null) return { unix };
  if (tcp === null) return null;
  const token = await readFile(path.join(dir, 'token'), 'utf8').catch(() => '');
  return { ...tcp, token: new TextEncoder().encode(token.trim()) };
}
