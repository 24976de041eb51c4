/**
 * What a request brings along and what answering it takes of the core: just that, so that every
 * part can be tested without the rest of the core.
 */

import {
  type CodeOf,
  errorCodes,
  type Message,
  type MessageName,
} from '../../../protocol/index.ts';
import type { ConnectionId, Now } from '../../events.ts';
import type { LogRecord } from '../records/records.ts';

/** An answer that is made from records of the log. */
export type Reply = {
  [N in MessageName]: { readonly name: N; readonly fields: Message<N> };
}[MessageName];

/** Logs a decision, applies it at once and returns the record's offset. */
export interface Committing {
  commit(record: LogRecord): number;
}

export interface Answering extends Committing {
  send<N extends MessageName>(
    connection: ConnectionId,
    correlationId: number,
    name: N,
    fields: Message<N>,
  ): void;
  /** Reads records, in the order of `offsets`, and sends what `then` makes of them. */
  fetch(
    connection: ConnectionId,
    correlationId: number,
    offsets: readonly number[],
    then: (records: readonly Uint8Array[]) => Reply,
  ): void;
}

/** Who asks, on which connection, and when. */
export interface RequestContext {
  readonly core: Answering;
  readonly session: { readonly id: string };
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly now: Now;
}

export function answer<N extends MessageName>(
  caller: RequestContext,
  name: N,
  fields: Message<N>,
): void {
  caller.core.send(caller.connection, caller.correlationId, name, fields);
}

/** Why a request, or an item of one, is not done; nothing was changed. */
export interface Refusal<S extends 'request' | 'item' = 'request'> {
  readonly code: CodeOf<S>;
  readonly message: string;
}

/** A request that changed nothing, and why. */
export function refuse(caller: RequestContext, code: CodeOf<'request'>, message: string): void {
  answer(caller, 'Error', refusalFields({ code, message }));
}

export function refusalFields({ code, message }: Refusal): Message<'Error'> {
  return { code: errorCodes[code].number, message };
}
