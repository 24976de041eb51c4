/** What passes between the pool (the core's thread) and an I/O thread, typed in both directions. */

import type { ConnectionId, NetEvent, Outgoing } from '../events.ts';
import type { NetLimits } from './net-limits.ts';

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

export interface Addresses {
  readonly unix: string | null;
  readonly tcp: TcpAddress | null;
}

/** What a thread is started with. */
export interface ThreadSetup {
  readonly listen: Addresses;
  /** SHA-256 of the token that TCP peers must show; null when there is no TCP. */
  readonly tokenSha256: Uint8Array | null;
  readonly limits: NetLimits;
  /** This thread numbers its connections `firstConnection`, then in steps of `connectionStep`. */
  readonly firstConnection: ConnectionId;
  readonly connectionStep: number;
}

export type ToThread =
  | { readonly type: 'send'; readonly messages: readonly Outgoing[] }
  | { readonly type: 'close'; readonly connection: ConnectionId }
  /** The core has taken batches of so many bytes: room for more. */
  | { readonly type: 'taken'; readonly bytes: number }
  | { readonly type: 'stopListening' }
  | { readonly type: 'stop' };

export type FromThread =
  | { readonly type: 'listening'; readonly addresses: Addresses }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'events'; readonly events: NetEvent[]; readonly bytes: number }
  | { readonly type: 'stoppedListening' };
