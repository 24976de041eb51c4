/** A request on its way through its handler, and the ways to answer it. */

import {
  type CodeOf,
  errorCodes,
  type ItemAnswer,
  type JobState,
  type Message,
  type MessageName,
  noError,
  type RequestName,
} from '../../../protocol/index.ts';
import type { ConnectionId, Now } from '../../events.ts';
import type { Core } from './core.ts';
import type { Answering } from './effect-list.ts';
import type { Committing } from './effects.ts';
import type { Session } from './session.ts';

/** What a handler needs of the core to decide and to answer. */
export interface RequestCore extends Committing {
  readonly effects: Answering;
}

/** Who asks, on which connection, and when. */
export interface RequestContext<C extends RequestCore = RequestCore> {
  readonly core: C;
  readonly session: Pick<Session, 'id'>;
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly now: Now;
}

/** A request as its handler gets it. A handler that needs little of the core names just that as `C`. */
export interface Request<N extends RequestName, C extends RequestCore = Core>
  extends RequestContext<C> {
  readonly session: C extends Core ? Session : Pick<Session, 'id'>;
  readonly fields: Message<N>;
}

/** Why a request, or an item of one, is not done; nothing was changed. */
export interface Refusal<S extends 'request' | 'item' = 'request'> {
  readonly code: CodeOf<S>;
  readonly message: string;
}

/** Answers a request. */
export function respond<N extends MessageName>(
  { core, connection, correlationId }: RequestContext,
  name: N,
  fields: Message<N>,
): void {
  core.effects.send(connection, correlationId, name, fields);
}

/** Answers a request that changed nothing, and why. */
export function refuse(request: RequestContext, code: CodeOf<'request'>, message: string): void {
  respond(request, 'Error', refusalFields({ code, message }));
}

export function refusalFields({ code, message }: Refusal): Message<'Error'> {
  return { code: errorCodes[code].number, message };
}

/** The answer to an item that was done; `job` as it is after that. */
export function itemOk({ state }: { readonly state: JobState }): ItemAnswer {
  return { code: noError, state, message: '' };
}

/** The answer to an item that changed nothing; `job` is null when there is none. */
export function itemError(
  code: CodeOf<'item'>,
  job: { readonly state: JobState } | null,
  message: string,
): ItemAnswer {
  return { code: errorCodes[code].number, state: job?.state ?? 'none', message };
}
