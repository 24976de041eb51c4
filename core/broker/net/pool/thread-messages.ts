/** Messages between the main thread and an I/O thread, in both directions. */

import type { ConnectionId } from '../../events.ts';
import type { Guard } from '../hello.ts';
import type { NetLimits } from '../net-limits.ts';
import type { Encoded } from '../outgoing.ts';
import type { ReceiveBudgetCells } from '../receive-budget.ts';
import type { ConnectionCountCells } from './connection-counts.ts';
import type { PackedEvent } from './packed-events.ts';

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

export interface Addresses {
  readonly unix: string | null;
  readonly tcp: TcpAddress | null;
}

export interface Listen extends Addresses {
  /** Other threads of the pool listen on the same TCP port. */
  readonly sharePort: boolean;
}

/** Start parameters of an I/O thread. */
export interface ThreadSetup {
  /** Its number in the pool, from 0 on. */
  readonly thread: number;
  readonly listen: Listen;
  /** What TCP peers must prove; null when there is no TCP. */
  readonly guard: Guard | null;
  /** Limits of the whole pool. */
  readonly limits: NetLimits;
  readonly connectionCountCells: ConnectionCountCells;
  readonly receiveBudgetCells: ReceiveBudgetCells;
  /** This thread numbers its connections `firstConnection`, then in steps of `connectionStep`. */
  readonly firstConnection: ConnectionId;
  readonly connectionStep: number;
}

export type ToThread =
  /** With `confirm` the thread is to confirm them with `taken`. */
  | { readonly type: 'send'; readonly encoded: Encoded; readonly confirm: boolean }
  /** Confirms events. */
  | { readonly type: 'taken' }
  | { readonly type: 'stopListening' }
  | { readonly type: 'stop' };

export type FromThread =
  | { readonly type: 'listening'; readonly addresses: Addresses }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'events'; readonly events: readonly PackedEvent[]; readonly confirm: boolean }
  /** Confirms messages. */
  | { readonly type: 'taken' }
  /** For the operator; limited in number by the thread. */
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'stoppedListening' };
