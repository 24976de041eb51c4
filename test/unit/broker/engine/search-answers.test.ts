/** Places for searches: one client does not take those of all others. */

import { expect, test } from 'vitest';
import type { EffectOf } from '../../../../core/broker/engine/engine-options.ts';
import { SearchAnswers } from '../../../../core/broker/engine/search-answers.ts';
import type { History } from '../../../../core/broker/search/history.ts';

const asked = (connection: number, correlationId: number) =>
  ({ type: 'search', connection, correlationId, filter: {} }) as unknown as EffectOf<'search'>;

/** A history whose searches end when the test says so. */
function slowHistory() {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const history = { search: async () => promise } as unknown as History;
  return { history, finish: () => resolve({ jobs: [], next: '', offset: 0 }) };
}

test('a connection has 16 of them at a time and no more; another one has its own, and places come back', async () => {
  const { history, finish } = slowHistory();
  const answers = new SearchAnswers();
  const greedy = Array.from({ length: 40 }, (_, at) => answers.answer(history, asked(1, at), 0));
  const other = answers.answer(history, asked(2, 1), 0);
  finish();
  const names = (await Promise.all(greedy)).map(({ name }) => name);
  expect(names.filter((name) => name === 'SearchOk')).toHaveLength(16);
  expect(names.filter((name) => name === 'Error')).toHaveLength(24);
  expect(await other).toMatchObject({ name: 'SearchOk', connection: 2 });
  expect(await answers.answer(history, asked(1, 99), 0)).toMatchObject({ name: 'SearchOk' });
});
