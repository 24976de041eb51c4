/** What a connection is in the course of its life, and what it needs of the thread that it lives in. */

import type { ConnectionId, NetEvent, Transport } from '../events.ts';
import type { Connection } from './connection.ts';
import type { Guard } from './hello.ts';
import type { NetLimits } from './net-limits.ts';
import type { Turn } from './read-scheduler.ts';
import type { ReceiveBudget } from './receive-budget.ts';

/** The states of a connection and those that may follow each. */
export const nextStates = {
  /** The peer's preamble is awaited. */
  preamble: ['hello', 'draining', 'closed'],
  /** Its Hello is awaited. */
  hello: ['open', 'draining', 'closed'],
  /** The core knows it; requests and answers flow. */
  open: ['draining', 'closed'],
  /** What is queued still leaves, then the half-close; whatever comes in is dropped. */
  draining: ['closed'],
  closed: [],
} as const;

export type ConnectionState = keyof typeof nextStates;

/** What a connection needs of the thread that it lives in. */
export interface ConnectionHost {
  readonly limits: NetLimits;
  readonly intake: Pick<ReceiveBudget, 'add' | 'shareBytes'>;
  /** Those that do not read because they hold their share of the intake. */
  readonly starved: Set<Connection>;
  /** Those that have read their part: they read on in their turn. */
  readonly later: Turn;
  /**
   * True when a connection may read on in a frame though it holds its share of the intake: one at a
   * time, or parts of frames would wait for each other for ever.
   */
  mayExceedShare(connection: Connection): boolean;
  /** Monotonic, milliseconds. */
  now(): number;
  onEvent(event: NetEvent, frameBytes: number): void;
  /** Something about access that an operator may want to know; `kind` in the plural. */
  onNotice(kind: string, text: string): void;
  /** `connection.state` has changed from this one. */
  onState(connection: Connection, from: ConnectionState): void;
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
 * Tells the operator why the broker ends a connection.
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

/** The same of a peer that does not read; one that does not close in time is no news. */
export function noticeStall(
  options: ConnectionOptions,
  client: string | null,
  bytes: number,
): void {
  if (bytes > 0) noticeEnd(options, client, `it takes nothing of ${bytes} bytes`);
}
