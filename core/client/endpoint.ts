/**
 * Where a broker listens, and how to open a socket to it: only to what this user can trust.
 */

import net from 'node:net';
import { messageOf, shortSocketPath } from '../base/index.ts';
import { AiqError } from '../protocol/index.ts';
import { ReadDeadline } from './read-deadline.ts';
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
  /** Id of the broker that is meant: no other one is spoken to. Left out, any broker will do. */
  readonly brokerId?: string;
};

const keepAliveMs = 15_000;

/** The address as people write it. */
export function addressOf(endpoint: Endpoint): string {
  if ('unix' in endpoint) return `unix:${endpoint.unix}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}

/**
 * Opens a socket.
 * @throws AiqError `UNREACHABLE` when no process accepts within `withinMs`; `UNTRUSTED` when the socket is
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
  const short = await trustedPath(endpoint);
  try {
    return await connected(() => net.connect(short.path), endpoint, withinMs);
  } finally {
    short.release();
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
  const patience = new ReadDeadline(withinMs, () =>
    fail(new Error(`no connection in ${withinMs} ms`)),
  );
  socket.once('error', fail);
  socket.once('connect', () => {
    patience.end();
    socket.off('error', fail);
    resolve(socket);
  });
  return promise;
}

function unreachable(endpoint: Endpoint, cause: unknown): AiqError {
  const reason = messageOf(cause);
  return new AiqError('UNREACHABLE', `no broker answers at ${addressOf(endpoint)}: ${reason}`, {
    cause,
  });
}

/** A path to the socket, which is this user's alone; to be released once the socket is connected. */
async function trustedPath(
  endpoint: Endpoint & { readonly unix: string },
): Promise<ReturnType<typeof shortSocketPath>> {
  try {
    await assertTrustedSocket(endpoint.unix);
    return shortSocketPath(endpoint.unix);
  } catch (error) {
    throw error instanceof AiqError ? error : unreachable(endpoint, error);
  }
}
