/** What passes between the pool (the core's thread) and an I/O thread, typed in both directions. */

import type { ConnectionId, NetEvent } from '../../events.ts';
import type { Guard } from '../hello.ts';
import type { NetLimits } from '../net-limits.ts';
import type { Encoded } from '../outgoing.ts';
import type { ReceiveBudgetCells } from '../receive-budget.ts';
import type { ConnectionCountCells } from './connection-counts.ts';

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

/** What a thread is started with. */
export interface ThreadSetup {
  /** Its number in the pool, from 0 on. */
  readonly thread: number;
  readonly listen: Listen;
  /** What TCP peers must prove; null when there is no TCP. */
  readonly guard: Guard | null;
  /** They hold for the whole pool. */
  readonly limits: NetLimits;
  readonly connectionCountCells: ConnectionCountCells;
  readonly receiveBudgetCells: ReceiveBudgetCells;
  /** This thread numbers its connections `firstConnection`, then in steps of `connectionStep`. */
  readonly firstConnection: ConnectionId;
  readonly connectionStep: number;
}

export type ToThread =
  /** With `confirm` the thread is to say when it has taken them. */
  | { readonly type: 'send'; readonly encoded: Encoded; readonly confirm: boolean }
  /** The core has taken events that it was to confirm. */
  | { readonly type: 'taken' }
  | { readonly type: 'close'; readonly connection: ConnectionId }
  | { readonly type: 'stopListening' }
  | { readonly type: 'stop' };

export type FromThread =
  | { readonly type: 'listening'; readonly addresses: Addresses }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'events'; readonly events: NetEvent[]; readonly confirm: boolean }
  /** The thread has taken messages that it was to confirm. */
  | { readonly type: 'taken' }
  /** For the operator; the thread sees to it that there are not many. */
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'stoppedListening' };
