/** The effects that pile up while an event is handled, in order. */

import type { Message, MessageName } from '../../../protocol/index.ts';
import type { ConnectionId } from '../../events.ts';
import {
  answerUnreadable,
  type Effect,
  type Fetch,
  noConnection,
  outgoing,
  type Reply,
  unreadable,
} from './effects.ts';

/** How a request is answered. */
export interface Answering {
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

export class EffectList implements Answering {
  #effects: Effect[] = [];

  add(effect: Effect): void {
    this.#effects.push(effect);
  }

  send<N extends MessageName>(
    connection: ConnectionId,
    correlationId: number,
    name: N,
    fields: Message<N>,
  ): void {
    const message = outgoing(connection, correlationId, name, fields);
    this.#effects.push({ type: 'send', outgoing: message });
  }

  fetch(
    connection: ConnectionId,
    correlationId: number,
    offsets: readonly number[],
    then: (records: readonly Uint8Array[]) => Reply,
  ): void {
    const use: Fetch['use'] = (records) => {
      const readable = records.filter((record) => record !== null);
      const { name, fields } = readable.length === records.length ? then(readable) : unreadable();
      return [{ type: 'send', outgoing: outgoing(connection, correlationId, name, fields) }];
    };
    const unread = answerUnreadable(connection, correlationId);
    this.readFor(connection, { offsets, use, unread }, true);
  }

  /** Reads records of the log for the core itself. */
  read(fetch: Fetch): void {
    this.#effects.push({ type: 'fetch', fetch, connection: noConnection, isAnswer: false });
  }

  /** The same for something that is sent to a connection, in the order of its queue. */
  readFor(connection: ConnectionId, fetch: Fetch, isAnswer = false): void {
    this.#effects.push({ type: 'fetch', fetch, connection, isAnswer });
  }

  /** Returns the effects so far and begins a new list. */
  take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
