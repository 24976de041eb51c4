/** The connections of one I/O thread: numbers, counts and ticks them, and refuses those over the limits. */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { AiqError } from '../../protocol/index.ts';
import type { ConnectionId, Transport } from '../events.ts';
import type { NoticeLimit } from '../notice-limit.ts';
import { SteadyTime } from '../steady-time.ts';
import { Connection } from './connection.ts';
import type { ConnectionHost } from './connection-host.ts';
import type { EventBatcher } from './event-batcher.ts';
import type { NetLimits } from './net-limits.ts';
import { ConnectionCounts } from './pool/connection-counts.ts';
import type { ThreadSetup } from './pool/thread-messages.ts';
import { ReadScheduler } from './read-scheduler.ts';
import { ReceiveBudget } from './receive-budget.ts';

/** Deadlines are looked at this many times in the shortest of them. */
const ticksPerDeadline = 4;

export interface ConnectionTable {
  readonly get: (id: ConnectionId) => Connection | undefined;
  readonly accept: (socket: Socket, transport: Transport) => void;
  /** To be called when peers may have got answers: others may hold more then. */
  readStarved(): void;
  /** To be called when the core takes more. */
  readOn(): void;
  /** Closes all, each after its peer took what was sent; after `stopMs` without regard to that. */
  stop(): void;
}

export function createConnectionTable(
  setup: ThreadSetup,
  inbox: Pick<EventBatcher, 'add' | 'isOpen'>,
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
  // What the thread misses must not count against its peers.
  const time = new SteadyTime(() => performance.now(), 2 * tickMs);
  const host = createHost(setup, { inbox, connections, time, notices });
  const { crowd, starved, later } = host;
  let nextId = setup.firstConnection;
  const ticker = setInterval(() => {
    const nowMs = time.now();
    for (const connection of connections.values()) connection.tick(nowMs);
  }, tickMs);
  // The listeners and the port of the core keep the thread alive, not its clock.
  ticker.unref();

  return {
    get: (id) => connections.get(id),
    accept(socket, transport) {
      // Counted first: two threads that looked before they counted would both take the last place.
      crowd.add(transport, 1);
      const verdict = verdictOn(transport, crowd, limits);
      if (verdict === 'turned away') {
        crowd.add(transport, -1);
        socket.destroy();
        return;
      }
      const id = nextId;
      nextId += setup.connectionStep;
      const guard = transport === 'tcp' ? setup.guard : null;
      const from = fromOf(socket);
      const connection = new Connection(socket, { id, transport, from, guard, host });
      connections.set(id, connection);
      if (verdict instanceof AiqError) connection.refuse(verdict);
    },
    readStarved() {
      for (const connection of starved) connection.updateReading();
    },
    readOn: () => later.readSoon(),
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
 * Whether one that is counted already is taken, or told that there is no room: each of these is an
 * open file meanwhile.
 */
function verdictOn(
  transport: Transport,
  crowd: ConnectionCounts,
  { connectionsMax, handshakesMax, refusalsMax }: NetLimits,
): 'taken' | AiqError | 'turned away' {
  const [clients, strangers] = [crowd.count('client'), crowd.count(transport) - 1];
  const over = Math.max(clients + strangers - connectionsMax, strangers - handshakesMax);
  if (over < 0) return 'taken';
  if (over >= refusalsMax) return 'turned away';
  const message = `the broker holds ${clients} connections, and ${strangers} without Hello over ${transport}; try again later`;
  return new AiqError('TOO_MANY_CONNECTIONS', message);
}

function fromOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort ?? 0}`;
}

interface Host extends ConnectionHost {
  readonly crowd: ConnectionCounts;
  readonly later: ReadScheduler;
}

interface ThreadState {
  readonly inbox: Pick<EventBatcher, 'add' | 'isOpen'>;
  readonly connections: Map<ConnectionId, Connection>;
  readonly time: SteadyTime;
  readonly notices: NoticeLimit;
}

function createHost(
  { connectionCountCells, receiveBudgetCells, thread, limits }: ThreadSetup,
  { inbox, connections, time, notices }: ThreadState,
): Host {
  const crowd = new ConnectionCounts(connectionCountCells, thread);
  /** Those that said Hello. */
  const clients = new Set<ConnectionId>();
  const starved = new Set<Connection>();
  const later = new ReadScheduler(() => inbox.isOpen);
  let beyondShare: Connection | null = null;
  return {
    limits,
    crowd,
    intake: new ReceiveBudget(receiveBudgetCells, thread, limits),
    starved,
    later,
    mayExceedShare(connection) {
      if (beyondShare?.holdsPartOnly !== true) beyondShare = connection;
      return beyondShare === connection;
    },
    now: () => time.now(),
    onEvent: (event, frameBytes) => inbox.add(event, frameBytes),
    onNotice: (kind, text) => notices.add(kind, text),
    onState(connection) {
      const { id, state, transport } = connection;
      if (state === 'open') {
        clients.add(id);
        crowd.add(transport, -1);
        crowd.add('client', 1);
      } else if (state === 'closed') {
        // Until then it is an open file, whatever it waits for.
        crowd.add(clients.delete(id) ? 'client' : transport, -1);
        connections.delete(id);
        starved.delete(connection);
        later.delete(connection);
      }
    },
  };
}
