/** Opens and closes the server sockets of one I/O thread: a Unix socket, loopback TCP, or both. */

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { basename } from 'node:path';
import type { Transport } from '../../events.ts';
import type { NetLimits } from '../net-limits.ts';
import type { Addresses, Listen, TcpAddress } from '../pool/thread-messages.ts';
import { asListenError } from './listen-error.ts';
import { bindSocket } from './unix-socket.ts';

interface ListenersOptions {
  readonly listen: Listen;
  readonly limits: Pick<NetLimits, 'keepAliveMs'>;
  readonly onConnection: (socket: Socket, transport: Transport) => void;
}

interface Listeners {
  /** As bound: a port 0 has become a real one. */
  readonly addresses: Addresses;
  /** Refuses new connections; open ones continue. May be called twice. */
  close(): void;
}

interface Listener<A> {
  readonly address: A;
  close(): void;
}

/** @throws ListenError when an address cannot be had; then none stays open */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  const { unix: unixPath, tcp: tcpAddress } = options.listen;
  const unix = unixPath === null ? null : await listenUnix(unixPath, options);
  try {
    const tcp = tcpAddress === null ? null : await listenTcp(tcpAddress, options);
    const open = [unix, tcp];
    return {
      addresses: { unix: unix?.address ?? null, tcp: tcp?.address ?? null },
      close() {
        for (const listener of open.splice(0)) listener?.close();
      },
    };
  } catch (error) {
    unix?.close();
    throw error;
  }
}

async function listenUnix(path: string, options: ListenersOptions): Promise<Listener<string>> {
  const server = serverFor('unix', options);
  const socket = await bindSocket(path, (at) => listening(server, { path: at })).catch(
    (error: unknown) => {
      server.close();
      throw asListenError(error, path, `Choose a shorter file name than ${basename(path)}.`);
    },
  );
  return {
    address: path,
    close() {
      // Closing removes the file by the path that it was bound with, so that path goes last.
      server.close();
      socket.release();
    },
  };
}

async function listenTcp(
  address: TcpAddress,
  options: ListenersOptions,
): Promise<Listener<TcpAddress>> {
  const server = serverFor('tcp', options);
  const bound = await bindTcp(server, address, options.listen.sharePort);
  return { address: bound, close: () => void server.close() };
}

/** Advice for a TCP port that another process uses. */
export const portHint =
  'Another program uses it, perhaps another broker: stop that one or choose another port.';

/**
 * Listens and returns the address as bound. Without `sharePort` any other program on the port is an
 * error, also one that shares the port.
 * @throws ListenError
 */
export async function bindTcp(
  server: Server,
  { host, port }: TcpAddress,
  sharePort = false,
): Promise<TcpAddress> {
  try {
    await listening(server, { host, port, reusePort: sharePort });
  } catch (error) {
    throw asListenError(error, `${host}:${port}`, portHint);
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error(`no TCP address: ${bound}`);
  return { host, port: bound.port };
}

function serverFor(transport: Transport, options: ListenersOptions): Server {
  const { limits, onConnection } = options;
  return createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveMs },
    (socket) => onConnection(socket, transport),
  );
}

async function listening(server: Server, where: ListenOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      // A connection that fails while it is accepted affects only its peer.
      server.on('error', () => {});
      resolve();
    });
  });
}
