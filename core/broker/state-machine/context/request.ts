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
import type { Answering } from './effect-list.ts';
import type { Committing } from './effects.ts';

/** What a handler needs of the core to decide and to answer. */
export interface RequestCore extends Committing {
  readonly effects: Answering;
}

/** Who asks, on which connection, and when. */
export interface RequestContext {
  readonly core: RequestCore;
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
  caller.core.effects.send(caller.connection, caller.correlationId, name, fields);
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
