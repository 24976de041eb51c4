/** Cancelling, retrying, signalling and reading results through the API. */

import { expect, test } from 'vitest';
import { createOperations } from '../../../core/api/aiq.ts';
import type { JobQueue, Settled } from '../../../core/job-queue/index.ts';
import { infoWith } from '../../support/job-info.ts';

const { id } = infoWith();

function operations(answer: Settled, found = [infoWith()]) {
  const asked: unknown[] = [];
  const told = <T>(answering: T) => {
    return (...what: unknown[]): Promise<T> => {
      asked.push(what);
      return Promise.resolve(answering);
    };
  };
  const queue = {
    address: 'file:/x',
    inspect: async () => found.map((info) => ({ info, job: null, history: [] })),
    cancel: told([answer]),
    retryDead: told(3),
    signal: told(2),
    result: told(Uint8Array.of(1)),
  } as unknown as JobQueue;
  return { asked, ...createOperations(queue) };
}

const cancelled = { ok: true, state: 'cancelled' } as const;

test('a job is cancelled and its result read by any unique beginning of its id', async () => {
  const all = operations(cancelled);
  await all.cancel('k3f9');
  expect(await all.result('k3f9')).toEqual(Uint8Array.of(1));
  expect(all.asked).toEqual([[[id]], [id]]);
});

test('a job that is done cannot be cancelled, and one that is not there is NOT_FOUND', async () => {
  const done = operations({ ok: false, code: 'BAD_STATE', message: 'the job is done' });
  await expect(done.cancel('k3f9')).rejects.toMatchObject({ code: 'BAD_STATE' });
  const nothing = operations(cancelled, []);
  await expect(nothing.cancel('k3f9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(nothing.result('k3f9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('dead jobs are retried by queue and code, and parked ones signalled by key', async () => {
  const all = operations(cancelled);
  expect(await all.retryDead()).toBe(3);
  expect(await all.retryDead({ queue: 'q', code: 'timeout' })).toBe(3);
  expect(await all.signal('k')).toBe(2);
  expect(all.asked).toEqual([[{}], [{ queue: 'q', errorCode: 'timeout' }], ['k']]);
  await expect(all.retryDead({ queue: 7 as never })).rejects.toThrow(/^queue must/);
});
