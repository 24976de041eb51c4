/** Messages between threads: those of one turn go together, in order. */

import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { joined } from '../../../../core/runtime/pool/joined.ts';

test('what one turn brings is one message, and what the next brings another', async () => {
  const posted: (readonly number[])[] = [];
  const post = joined<number>((messages) => posted.push(messages));
  post(1);
  post(2);
  await Promise.resolve();
  post(3);
  expect(posted).toEqual([]);
  await turn();
  post(4);
  await turn();
  expect(posted).toEqual([[1, 2, 3], [4]]);
});
