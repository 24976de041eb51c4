/** Answers Search from the history, or says why it cannot. */

import { AiqError, errorCodes } from '../protocol/index.ts';
import type { EffectOf } from './engine-options.ts';
import type { Outgoing } from './events.ts';
import type { History } from './history/history.ts';

/**
 * Never rejects: a search that fails is answered with its error.
 * @param upTo offset that the search should know everything up to
 */
export async function searchAnswer(
  history: History | null,
  { connection, correlationId, filter }: EffectOf<'search'>,
  upTo: number,
): Promise<Outgoing> {
  try {
    if (history === null) throw new AiqError('UNSUPPORTED', 'this broker keeps no history');
    const fields = await history.search(filter, upTo);
    return { connection, correlationId, name: 'SearchOk', fields };
  } catch (error) {
    const { code, message } =
      error instanceof AiqError ? error : new AiqError('INTERNAL', String(error));
    const fields = { code: errorCodes[code].number, message };
    return { connection, correlationId, name: 'Error', fields };
  }
}
