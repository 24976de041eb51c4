/** The connections of one I/O thread: numbers, counts and ticks them, and refuses those above the limits. */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { AiqError } from '../../protocol/index.ts';
import type { ConnectionId, Transport } from '../events.ts';
import type { NoticeLimit } from '../notice-limit.ts';
import { SteadyTime } from '../steady-time.ts';
import { Connection } from './connection.ts';
import type { ConnectionHost, HostedConnection } from './connection-host.ts';
import type { EventBatcher } from './event-batcher.ts';
import type { NetLimits } from './net-limits.ts';
import { ConnectionCounts } from './pool/connection-counts.ts';
import type { ThreadSetup } from './pool/thread-messages.ts';
import { ReadScheduler } from './read-scheduler.ts';
import { ReceiveBudget } from './receive-budget.ts';

/** Ticks within the shortest deadline. */
const ticksPerDeadline = 4;

export interface ConnectionTable {
  readonly get: (id: ConnectionId) => Connection | undefined;
  readonly accept: (socket: Socket, transport: Transport) => void;
  /** To be called after responses were sent, which frees receive budget. */
  readStarved(): void;
  /** To be called when the state machine accepts more. */
  readOn(): void;
  /** Closes all connections, each once its peer has read what was sent; after `stopMs` at the latest. */
  stop(): void;
}

export function createConnectionTable(
  setup: ThreadSetup,
  batcher: Pick<EventBatcher, 'add' | 'isOpen'>,
  notices: NoticeLimit,
): ConnectionTable {
  const { limits } = setup;
  const connections = new Map<ConnectionId, Connection>();
  const shortestMs = Math.min(
    limits.handshakeMs,
    limits.frameMs,
    limits.unixStallMs,
    limits.tcpStallMs,
    limits.lingerMs,
  );
  const tickMs = shortestMs / ticksPerDeadline;
  // Time in which this thread did not run must not count against its peers.
  const time = new SteadyTime(() => performance.now(), 2 * tickMs);
  const host = createHost(setup, { batcher, connections, time, notices });
  const { counts, starved, readScheduler } = host;
  let nextId = setup.firstConnection;
  const ticker = setInterval(() => {
    const nowMs = time.now();
    for (const connection of connections.values()) connection.tick(nowMs);
  }, tickMs);
  // The listeners and the message port keep the thread alive.
  ticker.unref();

  return {
    get: (id) => connections.get(id),
    accept(socket, transport) {
      // Counted before the check: otherwise two threads could both take the last slot.
      counts.add(transport, 1);
      const admission = admissionOf(transport, counts, limits);
      if (admission === 'dropped') {
        counts.add(transport, -1);
        socket.destroy();
        return;
      }
      const id = nextId;
      nextId += setup.connectionStep;
      const guard = transport === 'unix' ? null : setup.guard;
      const from = fromOf(socket);
      const connection = new Connection(socket, { id, transport, from, guard, host });
      connections.set(id, connection);
      if (admission instanceof AiqError) connection.refuse(admission);
    },
    readStarved() {
      for (const connection of starved) connection.updateReading();
    },
    readOn: () => readScheduler.readSoon(),
    stop() {
      for (const connection of connections.values()) connection.drain();
      const deadline = setTimeout(() => {
        for (const connection of connections.values()) connection.destroy();
      }, limits.stopMs);
      deadline.unref();
    },
  };
}

/**
 * Whether a connection, counted already, is accepted, refused with an Error frame, or dropped: a
 * refused one is an open file meanwhile.
 */
function admissionOf(
  transport: Transport,
  counts: ConnectionCounts,
  { connectionsMax, handshakesMax, refusalsMax }: NetLimits,
): 'accepted' | AiqError | 'dropped' {
  const [clients, unauthenticated] = [counts.count('client'), counts.count(transport) - 1];
  const over = Math.max(
    clients + unauthenticated - connectionsMax,
    unauthenticated - handshakesMax,
  );
  if (over < 0) return 'accepted';
  if (over >= refusalsMax) return 'dropped';
  const message = `the broker holds ${clients} connections, and ${unauthenticated} without Hello over ${transport}; try again later`;
  return new AiqError('TOO_MANY_CONNECTIONS', message);
}

function fromOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort ?? 0}`;
}

interface Host extends ConnectionHost {
  readonly counts: ConnectionCounts;
  readonly readScheduler: ReadScheduler;
}

interface ThreadState {
  readonly batcher: Pick<EventBatcher, 'add' | 'isOpen'>;
  readonly connections: Map<ConnectionId, Connection>;
  readonly time: SteadyTime;
  readonly notices: NoticeLimit;
}

function createHost(
  { connectionCountCells, receiveBudgetCells, thread, limits }: ThreadSetup,
  { batcher, connections, time, notices }: ThreadState,
): Host {
  const counts = new ConnectionCounts(connectionCountCells, thread);
  /** Authenticated connections. */
  const clients = new Set<ConnectionId>();
  const starved = new Set<HostedConnection>();
  const readScheduler = new ReadScheduler(() => batcher.isOpen);
  let aboveShare: HostedConnection | null = null;
  return {
    limits,
    counts,
    receiveBudget: new ReceiveBudget(receiveBudgetCells, thread, limits),
    starved,
    readScheduler,
    mayExceedShare(connection) {
      if (aboveShare?.holdsPartOnly !== true) aboveShare = connection;
      return aboveShare === connection;
    },
    now: () => time.now(),
    onEvent: (event, frameBytes) => batcher.add(event, frameBytes),
    onNotice: (kind, text) => notices.add(kind, text),
    onState(connection) {
      const { id, state, transport } = connection;
      if (state === 'open') {
        clients.add(id);
        counts.add(transport, -1);
        counts.add('client', 1);
      } else if (state === 'closed') {
        // Counted until closed: it is an open file until then.
        counts.add(clients.delete(id) ? 'client' : transport, -1);
        connections.delete(id);
        starved.delete(connection);
        readScheduler.delete(connection);
      }
    },
  };
}
