/**
 * The pool of I/O threads: events in, messages out. Threads own the sockets. When one dies, its
 * connections are reported closed and it is restarted while the others continue. A connection's number
 * determines its thread.
 */

import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { createCrashGuard } from '../../../base/index.ts';
import type { MessageSink } from '../../engine/outbox.ts';
import type { ConnectionId, NetEvent, Outgoing } from '../../events.ts';
import type { Guard } from '../hello.ts';
import { ListenError } from '../listen/listen-error.ts';
import { type NetLimits, netLimitDefaults } from '../net-limits.ts';
import { createReceiveBudgetCells } from '../receive-budget.ts';
import { createConnectionCountCells } from './connection-counts.ts';
import { assertPortIsOurs, canSharePort, probePort } from './shared-port.ts';
import type { Addresses, TcpAddress } from './thread-messages.ts';
import { ThreadSlot } from './thread-slot.ts';

/** Limits that are not given have the defaults of `net-limits.ts`. */
export interface IoPoolOptions extends Partial<NetLimits> {
  /** Absolute, of any length. Its folder is made with mode 0700, or must have it. */
  readonly unixPath: string | null;
  /** Loopback only; port 0 takes any free one. */
  readonly tcp: TcpAddress | null;
  /** What TCP connections must prove; required with `tcp`. Unix connections need no token. */
  readonly guard: Guard | null;
  /** How many threads share the TCP port, at least 1. Default 1; one where it cannot be shared. */
  readonly threads?: number;
  /** Receives a batch of events. A slow receiver makes the threads read less. */
  readonly onEvents: (events: NetEvent[]) => void;
  /** A thread confirmed messages: its sink may be open again. */
  readonly onDrained?: () => void;
  /** A notice for the operator. */
  readonly onNotice: (text: string) => void;
  /** False when a thread died and clients of its addresses cannot connect; true when all listen again. */
  readonly onReachable?: (isReachable: boolean) => void;
  /** Threads die too often: one is not restarted, and the pool should be stopped. */
  readonly onThreadLost: (error: Error) => void;
}

export interface IoPool {
  /** Where it listens, with the real port. */
  readonly addresses: Addresses;
  /** Open authenticated connections. */
  readonly connections: number;
  /** Sends in order. Messages to a closed connection are dropped. */
  send(messages: readonly Outgoing[]): void;
  /** The thread of the connection. */
  sinkOf(connection: ConnectionId): MessageSink;
  /** Refuses new connections; open ones continue. */
  stopListening(): Promise<void>;
  /** Reports no more events, gives the peers time to read what was sent, then closes all. */
  stop(): Promise<void>;
}

/** @throws ListenError when the addresses are not allowed or cannot be had */
export async function startIoPool(options: IoPoolOptions): Promise<IoPool> {
  const tcp = checkedTcp(options);
  const gate = createGate(options.onEvents);
  const slots = slotsOf({ ...options, onEvents: gate.pass });
  try {
    const addresses = await startSlots(slots, { unix: options.unixPath, tcp });
    // Not before the caller has the pool.
    setImmediate(gate.open);
    return poolOf(slots, addresses);
  } catch (error) {
    await Promise.all(slots.map(async (slot) => await slot.stop()));
    throw error;
  }
}

/** One thread for a Unix socket; more only where they can share a TCP port. */
function slotsOf(options: IoPoolOptions): ThreadSlot[] {
  const { tcp, guard, threads = 1, onEvents, onNotice, onReachable, onThreadLost } = options;
  const { onDrained = () => undefined } = options;
  const count = tcp !== null && canSharePort ? threads : 1;
  const limits = limitsOf(options);
  const connectionCountCells = createConnectionCountCells(count);
  const receiveBudgetCells = createReceiveBudgetCells(count);
  const crashGuard = createCrashGuard({
    windowMs: limits.restartWindowMs,
    freeCrashes: 0,
    crashesMax: limits.restartsMax,
    pause: { minMs: limits.restartDelayMs, maxMs: limits.restartWindowMs },
  });
  let downCount = 0;

  return Array.from({ length: count }, (_, thread) => {
    const numbers = { firstConnection: thread + 1, connectionStep: count };
    const setup = { thread, guard, limits, connectionCountCells, receiveBudgetCells, ...numbers };
    return new ThreadSlot({
      setup,
      guard: crashGuard,
      onEvents,
      onDrained,
      onNotice,
      onDown: (isDown) => {
        downCount += isDown ? 1 : -1;
        onReachable?.(downCount === 0);
      },
      onLost: onThreadLost,
    });
  });
}

/**
 * The first thread listens on all addresses, the others on the same TCP port. With port 0 the system
 * chooses a free port for the first one.
 */
async function startSlots(slots: readonly ThreadSlot[], listen: Addresses): Promise<Addresses> {
  const [first, ...others] = slots;
  if (first === undefined) throw new Error('a pool needs a thread');
  const sharePort = others.length > 0;
  if (sharePort && listen.tcp !== null && listen.tcp.port !== 0) await probePort(listen.tcp);
  const addresses = await first.start({ ...listen, sharePort });
  const { tcp } = addresses;
  await Promise.all(others.map(async (slot) => await slot.start({ unix: null, tcp, sharePort })));
  if (sharePort && tcp !== null) assertPortIsOurs(tcp, slots.length);
  return addresses;
}

function poolOf(slots: readonly ThreadSlot[], addresses: Addresses): IoPool {
  const slotOf = (connection: ConnectionId): ThreadSlot =>
    slots[(connection - 1) % slots.length] as ThreadSlot;

  return {
    addresses,
    get connections() {
      return slots.reduce((sum, slot) => sum + slot.connections, 0);
    },
    send(messages) {
      const bySlot = Map.groupBy(messages, ({ connection }) => slotOf(connection));
      for (const [slot, batch] of bySlot) slot.send(batch);
    },
    sinkOf: slotOf,
    async stopListening() {
      await Promise.all(slots.map(async (slot) => await slot.stopListening()));
    },
    async stop() {
      await Promise.all(slots.map(async (slot) => await slot.stop()));
    },
  };
}

/** Holds back events of the first thread while the others start. */
function createGate(onEvents: IoPoolOptions['onEvents']) {
  let early: NetEvent[] | null = [];
  return {
    pass: (events: NetEvent[]): void => {
      if (early === null) onEvents(events);
      else early.push(...events);
    },
    open: (): void => {
      const events = early ?? [];
      early = null;
      if (events.length > 0) onEvents(events);
    },
  };
}

function checkedTcp({ tcp, guard }: IoPoolOptions): TcpAddress | null {
  if (tcp === null) return null;
  const host = tcp.host === 'localhost' ? '127.0.0.1' : tcp.host;
  if (host !== '::1' && !(isIPv4(host) && host.startsWith('127.'))) {
    throw new ListenError(
      'NOT_LOOPBACK',
      `cannot listen on ${tcp.host}: only loopback addresses (127.0.0.1, ::1) are allowed, because connections are not encrypted`,
    );
  }
  if (guard === null || guard.token.length === 0) {
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
  const wanted = Object.fromEntries(entries) as NetLimits;
  // A connection is an open file, and the log must always be able to open some.
  const connectionsMax = connectionsWithin(openFilesMax(), wanted.connectionsMax);
  if (connectionsMax === wanted.connectionsMax) return wanted;
  const handshakesMax = Math.min(wanted.handshakesMax, Math.ceil(connectionsMax / 4));
  return { ...wanted, connectionsMax, handshakesMax };
}

/**
 * Reserved for everything but connections: threads, event loops, lock, history and listeners use some
 * 60, the log at most 40 more (segments read, written, created and summarized), connections being
 * refused 64 (`refusalsMax` of each transport).
 */
const reservedFiles = 192;
/** Fewer would not serve even one folder's clients. */
const connectionsMin = 8;

/** Soft limit of open files; infinite where it is unknown. */
export function openFilesMax(limits: string = readLimits()): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Connections that leave enough files to the log, at most `wanted`. A fifth stays free, because
 * unauthenticated connections of one transport, a quarter of these, come on top.
 */
export function connectionsWithin(filesMax: number, wanted: number): number {
  const most = Math.floor(((filesMax - reservedFiles) * 4) / 5);
  return Math.min(wanted, Math.max(connectionsMin, most));
}
