/**
 * The broker's pool of I/O threads, as the core sees it: events in, messages out. Threads own the
 * sockets; a thread that dies takes its connections with it, and the core is told of each.
 *
 * The pool has one thread now. A connection's number tells its thread, so that several can share
 * the work without asking each other.
 */

import { isIPv4 } from 'node:net';
import type { ConnectionId, NetEvent, Outgoing } from '../events.ts';
import { tokenDigest } from './hello.ts';
import { IoThread } from './io-thread-handle.ts';
import { ListenError } from './listen-error.ts';
import { type NetLimits, netLimitDefaults } from './net-limits.ts';
import type { Addresses, TcpAddress } from './thread-messages.ts';

/** Limits that are not given have the defaults of `net-limits.ts`. */
export interface IoPoolOptions extends Partial<NetLimits> {
  /** Absolute, of any length. Its folder is made with mode 0700, or must have it. */
  readonly unixPath: string | null;
  /** Loopback only; port 0 takes any free one. */
  readonly tcp: TcpAddress | null;
  /** What TCP connections must show in Hello; required with `tcp`. Unix connections need none. */
  readonly token: Uint8Array | null;
  /** One batch. Called again only after it returned; a slow core makes the threads read less. */
  readonly onEvents: (events: NetEvent[]) => void;
  /** A thread died; `closed` was reported for each of its connections before. */
  readonly onThreadLost: (error: Error) => void;
}

export interface IoPool {
  /** Where it listens: with the real port. */
  readonly addresses: Addresses;
  /** Connections that said Hello and are not closed. */
  readonly connections: number;
  /** Sends in order. What goes to a connection that is gone is dropped. */
  send(messages: readonly Outgoing[]): void;
  /** Closes after what was sent before has left. */
  close(connection: ConnectionId): void;
  /** Refuses new connections from here on; those that stand go on. */
  stopListening(): Promise<void>;
  /** Reports nothing more, gives the peers time to take what was sent, then closes all. */
  stop(): Promise<void>;
}

/** @throws ListenError when the addresses are not allowed or cannot be had */
export async function startIoPool(options: IoPoolOptions): Promise<IoPool> {
  const { unixPath, token, onEvents, onThreadLost } = options;
  const thread = new IoThread({
    setup: {
      listen: { unix: unixPath, tcp: checkedTcp(options) },
      tokenSha256: token === null ? null : tokenDigest(token),
      limits: limitsOf(options),
      firstConnection: 1,
      connectionStep: 1,
    },
    onEvents,
    onLost: onThreadLost,
  });
  return poolOf([thread], await thread.listening);
}

function poolOf(threads: readonly IoThread[], addresses: Addresses): IoPool {
  const threadOf = (connection: ConnectionId): IoThread | undefined =>
    threads[(connection - 1) % threads.length];

  return {
    addresses,
    get connections() {
      return threads.reduce((sum, thread) => sum + thread.connections, 0);
    },
    send(messages) {
      const byThread = Map.groupBy(messages, ({ connection }) => threadOf(connection));
      for (const [thread, batch] of byThread) thread?.tell({ type: 'send', messages: batch });
    },
    close: (connection) => threadOf(connection)?.tell({ type: 'close', connection }),
    async stopListening() {
      await Promise.all(threads.map(async (thread) => await thread.stopListening()));
    },
    async stop() {
      await Promise.all(threads.map(async (thread) => await thread.stop()));
    },
  };
}

function checkedTcp({ tcp, token }: IoPoolOptions): TcpAddress | null {
  if (tcp === null) return null;
  const host = tcp.host === 'localhost' ? '127.0.0.1' : tcp.host;
  if (host !== '::1' && !(isIPv4(host) && host.startsWith('127.'))) {
    throw new ListenError(
      'NOT_LOOPBACK',
      `cannot listen on ${tcp.host}: only loopback addresses are served (127.0.0.1, ::1), because nothing on the wire is encrypted`,
    );
  }
  if (token === null || token.length === 0) {
    throw new ListenError(
      'NO_TOKEN',
      `cannot listen on ${tcp.host}:${tcp.port} without a token: every user of this machine could connect`,
    );
  }
  return { host, port: tcp.port };
}

function limitsOf(options: Partial<NetLimits>): NetLimits {
  const names = Object.keys(netLimitDefaults) as (keyof NetLimits)[];
  const entries = names.map((name) => [name, options[name] ?? netLimitDefaults[name]]);
  return Object.fromEntries(entries) as NetLimits;
}
