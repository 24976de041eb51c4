/** Responds to Search requests from the history. */

import { AiqError, errorCodes } from '../../protocol/index.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import type { History } from '../search/history.ts';
import type { EffectOf } from './engine-options.ts';

/** Waiting searches of one connection, so that one client does not take all of `searchesMax`. */
const waitingMax = 16;

export class SearchAnswers {
  readonly #waiting: Map<ConnectionId, number> = new Map();

  /**
   * Never rejects: a failed search results in an Error message.
   * @param upTo the search should include every record up to this offset
   */
  async answer(
    history: History | null,
    { connection, correlationId, filter }: EffectOf<'search'>,
    upTo: number,
  ): Promise<Outgoing> {
    const waiting = this.#waiting.get(connection) ?? 0;
    this.#waiting.set(connection, waiting + 1);
    try {
      if (history === null) throw new AiqError('UNSUPPORTED', 'this broker keeps no history');
      if (waiting >= waitingMax) {
        const message = `${waiting} searches of this connection are waiting; try again later`;
        throw new AiqError('QUEUE_FULL', message);
      }
      const fields = await history.search(filter, upTo);
      return { connection, correlationId, name: 'SearchOk', fields };
    } catch (error) {
      const { code, message } =
        error instanceof AiqError ? error : new AiqError('INTERNAL', String(error));
      const fields = { code: errorCodes[code].number, message };
      return { connection, correlationId, name: 'Error', fields };
    } finally {
      this.#left(connection);
    }
  }

  #left(connection: ConnectionId): void {
    const waiting = (this.#waiting.get(connection) ?? 1) - 1;
    if (waiting === 0) this.#waiting.delete(connection);
    else this.#waiting.set(connection, waiting);
  }
}
