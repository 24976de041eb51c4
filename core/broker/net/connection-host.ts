/** The states of a connection, and the interface that its I/O thread offers it. */

import type { ConnectionId, NetEvent, Transport } from '../events.ts';
import type { Guard } from './hello.ts';
import type { NetLimits } from './net-limits.ts';
import type { Reader, Turn } from './read-scheduler.ts';
import type { ReceiveBudget } from './receive-budget.ts';

/** The states of a connection and those that may follow each. */
export const nextStates = {
  /** The peer's preamble is awaited. */
  preamble: ['hello', 'draining', 'closed'],
  /** Its Hello is awaited. */
  hello: ['open', 'draining', 'closed'],
  /** Known to the state machine; requests and responses flow. */
  open: ['draining', 'closed'],
  /** Queued frames are still sent, then the half-close; input is dropped. */
  draining: ['closed'],
  closed: [],
} as const;

export type ConnectionState = keyof typeof nextStates;

/** A connection as its I/O thread sees it. */
export interface HostedConnection extends Reader {
  readonly id: ConnectionId;
  readonly transport: Transport;
  readonly state: ConnectionState;
  /** It holds bytes of one frame that is not whole yet, and nothing else. */
  readonly holdsPartOnly: boolean;
}

/** What a connection needs of its I/O thread. */
export interface ConnectionHost {
  readonly limits: NetLimits;
  readonly receiveBudget: Pick<ReceiveBudget, 'add' | 'shareBytes'>;
  /** Connections that do not read because they hold their share of the receive budget. */
  readonly starved: Set<HostedConnection>;
  /** Decides when a connection that has read its part reads on. */
  readonly readScheduler: Turn;
  /**
   * True when a connection may read on in a frame though it holds its share of the receive budget.
   * One at a time, or partial frames would wait for each other for ever.
   */
  mayExceedShare(connection: HostedConnection): boolean;
  /** Monotonic, milliseconds. */
  now(): number;
  onEvent(event: NetEvent, frameBytes: number): void;
  /** A notice about access for the operator; `kind` in the plural. */
  onNotice(kind: string, text: string): void;
  /** `connection.state` has changed from this one. */
  onState(connection: HostedConnection, from: ConnectionState): void;
}

export interface ConnectionOptions {
  readonly id: ConnectionId;
  readonly transport: Transport;
  /** Address of a TCP peer, for the operator; empty where there is none. */
  readonly from: string;
  /** What both sides must prove, or null when the peer needs no token. */
  readonly guard: Guard | null;
  readonly host: ConnectionHost;
}

/**
 * Notifies the operator why the broker ends a connection.
 * @param client the name in its Hello; null before it was accepted
 */
export function noticeEnd(
  { transport, from, host }: ConnectionOptions,
  client: string | null,
  reason: string,
): void {
  const where = from === '' ? transport : `${transport} from ${from}`;
  if (client === null) {
    host.onNotice('refused logins', `a login over ${where} was refused: ${reason}`);
    return;
  }
  const who = JSON.stringify(client);
  host.onNotice('clients cut off', `client ${who} over ${where} was cut off: ${reason}`);
}

/** The same for a peer that does not read; one that only does not close in time is not reported. */
export function noticeStall(
  options: ConnectionOptions,
  client: string | null,
  bytes: number,
): void {
  if (bytes > 0) noticeEnd(options, client, `it does not read the ${bytes} bytes sent to it`);
}
