/**
 * Ensures that a TCP port shared by threads through `reusePort` belongs to this broker alone. The system
 * lets any program of the same user join such a port and silently take a part of the clients; two
 * brokers would each have half of the consumers.
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, isIPv4 } from 'node:net';
import { endianness } from 'node:os';
import { ListenError } from '../listen/listen-error.ts';
import { bindTcp, portHint } from '../listen/listeners.ts';
import type { TcpAddress } from './thread-messages.ts';

/** On other systems `reusePort` is missing, or the last to bind gets all connections. */
export const canSharePort: boolean = process.platform === 'linux';

/**
 * Binds without sharing and closes again: fails when any process has the port, shared or not.
 * @throws ListenError
 */
export async function probePort(address: TcpAddress): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await bindTcp(server, address);
  server.close();
  await once(server, 'close');
}

/**
 * To be called once all threads listen. It closes the gap between the probe and the listening: other
 * listeners are counted here, and of two brokers that probed at the same time the later one sees the
 * other. Without the kernel's table the probe must suffice.
 * @throws ListenError when more than `own` sockets listen on exactly this address
 */
export function assertPortIsOurs(address: TcpAddress, own: number): void {
  const found = countListeners(address);
  if (found === null || found <= own) return;
  const where = `${address.host}:${address.port}`;
  throw new ListenError(
    'EADDRINUSE',
    `cannot listen on ${where}: another program shares the port and would take a part of the clients. ${portHint}`,
  );
}

/** State of a listening socket in the kernel's table (TCP_LISTEN). */
const listenState = '0A';

function countListeners({ host, port }: TcpAddress): number | null {
  const local = `${hexAddress(host)}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  try {
    const table = readFileSync(isIPv4(host) ? '/proc/net/tcp' : '/proc/net/tcp6', 'latin1');
    const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
    return rows.filter((row) => row[1] === local && row[3] === listenState).length;
  } catch {
    return null;
  }
}

/** A loopback address as the kernel prints it: words of four bytes, each in the machine's order. */
function hexAddress(host: string): string {
  const bytes = isIPv4(host) ? host.split('.').map(Number) : [...Array<number>(15).fill(0), 1];
  const words: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4);
    if (endianness() === 'LE') word.reverse();
    words.push(word.map((byte) => byte.toString(16).padStart(2, '0')).join(''));
  }
  return words.join('').toUpperCase();
}
