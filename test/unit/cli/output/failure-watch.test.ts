/** What stops a run: failed jobs, each counted once, and none that is done in the end. */

import { expect, test } from 'vitest';
import { watchFailures } from '../../../../core/cli/output/failure-watch.ts';

type Report = Parameters<ReturnType<typeof watchFailures>>[0];

const failed = (id: string, errorCode = 'bad'): Report => ({ id, outcome: 'retry', errorCode });
const done = (id: string): Report => ({ id, outcome: 'ack', errorCode: '' });

test('a job that fails again counts once, and one that is done in the end not at all', () => {
  const watch = watchFailures('1');
  expect([watch(failed('a')), watch(failed('a')), watch(done('a'))]).toEqual([null, null, null]);
  expect(watch(failed('b'))).toBeNull();
  expect(watch(failed('c'))).toBe('2 jobs failed, and more than 1 are too many: bad');
});

test('what charges no attempt counts for nothing', () => {
  const watch = watchFailures('0');
  for (const outcome of ['throttled', 'returned', 'crashed', 'lost'] as const) {
    expect(watch({ id: 'a', outcome, errorCode: 'x' })).toBeNull();
  }
  expect(watch(failed('a'))).not.toBeNull();
});

test('several causes are not told as one, and without a rule nothing stops', () => {
  const watch = watchFailures('failures > 50%');
  for (let job = 0; job < 19; job++) expect(watch(failed(`${job}`, `cause ${job % 2}`))).toBeNull();
  expect(watch(failed('last'))).toBe(
    '20 of 20 jobs that were tried failed, and more than 50 % are too many',
  );
  const none = watchFailures(undefined);
  for (let job = 0; job < 50; job++) expect(none(failed(`${job}`))).toBeNull();
});

test('a rule that cannot be read is an error that names the forms', () => {
  expect(() => watchFailures('often')).toThrow('--stop-after');
});
