/** Answers Search from the history, or says why it cannot. */

import { AiqError, errorCodes } from '../../protocol/index.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import type { History } from '../search/history.ts';
import type { EffectOf } from './engine-options.ts';

/** Searches of one connection that may wait at a time: so that one client does not take all places. */
const waitingMax = 16;

export class SearchAnswers {
  readonly #waiting: Map<ConnectionId, number> = new Map();

  /**
   * Never rejects: a search that fails is answered with its error.
   * @param upTo offset that the search should know everything up to
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
