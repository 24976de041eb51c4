/**
 * Where a broker listens, and how to open a socket to it: only to what this user can trust. Unix
 * socket paths that are too long for the kernel (about 104 bytes) are reached through a short path
 * to the same folder.
 */

import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { AiqError } from '../protocol/index.ts';
import { Patience } from './patience.ts';
import { assertTrustedSocket, isLoopback, untrusted } from './trust.ts';

export type Endpoint = (
  | { readonly unix: string }
  | {
      readonly host: string;
      readonly port: number;
      /** What both sides prove that they have: it never travels. */
      readonly token: Uint8Array;
    }
) & {
  /** Id of the broker that is meant: no other one is spoken to. Left out, whoever answers will do. */
  readonly brokerId?: string;
};

/** Longest path that every supported system takes (macOS: 103 bytes and a zero byte). */
const unixPathBytesMax = 103;
const keepAliveMs = 15_000;

/** The address as people write it. */
export function addressOf(endpoint: Endpoint): string {
  if ('unix' in endpoint) return `unix:${endpoint.unix}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}

/**
 * Opens a socket.
 * @throws AiqError `UNREACHABLE` when nobody accepts within `withinMs`; `UNTRUSTED` when the socket is
 *   not this user's alone, or the address not on this machine
 */
export async function connectSocket(endpoint: Endpoint, withinMs: number): Promise<net.Socket> {
  if (!('unix' in endpoint)) {
    const { host, port } = endpoint;
    if (!isLoopback(host)) {
      throw untrusted(
        `${addressOf(endpoint)} is not on this machine, and nothing on the wire is encrypted`,
      );
    }
    const open = (): net.Socket =>
      net.connect({
        // Where brokers listen for that name: what a resolver says of it does not count.
        host: host === 'localhost' ? '127.0.0.1' : host,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveMs,
      });
    return connected(open, endpoint, withinMs);
  }
  const short = await trustedPath(endpoint.unix).catch((error: unknown) => {
    throw error instanceof AiqError ? error : unreachable(endpoint, error);
  });
  try {
    return await connected(() => net.connect(short.path), endpoint, withinMs);
  } finally {
    await short.release();
  }
}

function connected(
  open: () => net.Socket,
  endpoint: Endpoint,
  withinMs: number,
): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const socket = open();
  const fail = (error: Error): void => {
    patience.end();
    socket.destroy();
    reject(unreachable(endpoint, error));
  };
  const patience = new Patience(withinMs, () => fail(new Error(`no connection in ${withinMs} ms`)));
  socket.once('error', fail);
  socket.once('connect', () => {
    patience.end();
    socket.off('error', fail);
    resolve(socket);
  });
  return promise;
}

function unreachable(endpoint: Endpoint, cause: unknown): AiqError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AiqError('UNREACHABLE', `nobody answers at ${addressOf(endpoint)}: ${reason}`, {
    cause,
  });
}

interface ShortPath {
  readonly path: string;
  /** To be called once the socket is connected: the path is not needed any more. */
  release(): Promise<void>;
}

async function trustedPath(socketPath: string): Promise<ShortPath> {
  await assertTrustedSocket(socketPath);
  return shortPath(socketPath);
}

/** A path of bearable length to the same socket. */
async function shortPath(socketPath: string): Promise<ShortPath> {
  if (Buffer.byteLength(socketPath) <= unixPathBytesMax) {
    return { path: socketPath, release: () => Promise.resolve() };
  }
  const dir = path.dirname(socketPath);
  const name = path.basename(socketPath);
  if (process.platform === 'linux') {
    const handle = await fs.open(dir, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    return { path: `/proc/self/fd/${handle.fd}/${name}`, release: () => handle.close() };
  }
  const temporary = await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-'));
  const link = path.join(temporary, 'd');
  await fs.symlink(dir, link);
  return {
    path: path.join(link, name),
    release: () => fs.rm(temporary, { recursive: true, force: true }),
  };
}
