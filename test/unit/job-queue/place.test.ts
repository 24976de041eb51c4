/** Whose a job is: by folder, and by machine where the broker is reached from several. */

import { expect, test } from 'vitest';
import { definitionKey, isKeyOf, isSamePlace } from '../../../core/job-queue/index.ts';
import { isKey } from '../../../core/protocol/index.ts';

const here = { host: 'ada', dir: '/srv/notes' };
const digest = 'ab'.repeat(32);

test('the name of the machine counts where not everybody at the broker is on it', () => {
  const there = { ...here, host: 'bob' };
  expect(isSamePlace(here, there, true)).toBe(true);
  expect(isSamePlace(here, there, false)).toBe(false);
  expect(isSamePlace(here, { ...here, dir: '/srv/other' }, true)).toBe(false);
});

test('a job that was put aside is known again by its folder, and by whoever has its definition', () => {
  const key = definitionKey({ madeIn: here, digest });
  expect(isKey(key)).toBe(true);
  const nothing = { digests: [], isOneMachine: false };
  expect(isKeyOf(key, here, nothing)).toBe(true);
  const elsewhere = { host: 'bob', dir: here.dir };
  expect(isKeyOf(key, elsewhere, nothing)).toBe(false);
  expect(isKeyOf(key, elsewhere, { ...nothing, isOneMachine: true })).toBe(true);
  expect(isKeyOf(key, elsewhere, { ...nothing, digests: ['cd'.repeat(32), digest] })).toBe(true);
  const nowhere = definitionKey({ madeIn: undefined, digest });
  expect(isKeyOf(nowhere, here, nothing)).toBe(false);
  expect(isKeyOf(nowhere, here, { ...nothing, digests: [digest] })).toBe(true);
  expect(isKeyOf('approval:7', here, { ...nothing, digests: [digest] })).toBe(false);
});
