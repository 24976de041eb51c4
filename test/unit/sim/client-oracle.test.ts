/** What clients of a real broker may hear, and what they must not: each rule by itself. */

import { expect, test } from 'vitest';
import type { LeasedJob } from '../../../core/job-queue/index.ts';
import { ClientOracle } from '../../oracle/client-oracle.ts';

function lease(id: string, delivery: number, attempt = 1): LeasedJob {
  return { job: { id }, token: { id, epoch: 1, delivery }, attempt } as LeasedJob;
}

/** The one thing that is wrong with what was heard. */
function wrong(hear: (oracle: ClientOracle) => void): string {
  const oracle = new ClientOracle();
  hear(oracle);
  expect(oracle.violations).toHaveLength(1);
  return oracle.violations[0] ?? '';
}

const done = { ok: true, state: 'done' } as const;

test('a job that comes back, is retried, acknowledged and answered again is fine', () => {
  const oracle = new ClientOracle();
  oracle.wasAccepted('a');
  oracle.wasDelivered(lease('a', 1));
  oracle.wasSettled(lease('a', 1), 'retry', { ok: true, state: 'ready' });
  oracle.wasDelivered(lease('a', 2, 2));
  oracle.wasSettled(lease('a', 2, 2), 'ack', done);
  oracle.wasSettled(lease('a', 2, 2), 'ack', done);
  oracle.isIn('a', 'done');
  expect(oracle.violations).toEqual([]);
  expect(oracle.backlog).toBe(0);
  expect(oracle.nextCycle()).toMatchObject({ accepted: ['a'], redelivered: 1 });
});

test('a job whose acceptance nobody answered counts from its delivery on', () => {
  const oracle = new ClientOracle();
  oracle.wasDelivered(lease('a', 1));
  expect(oracle.backlog).toBe(1);
});

test('a delivery may cross the cancel of its job, whose answer comes over another connection', () => {
  const oracle = new ClientOracle();
  oracle.isIn('a', 'cancelled');
  oracle.wasDelivered(lease('a', 1));
  oracle.wasSettled(lease('a', 1), 'ack', {
    ok: false,
    code: 'BAD_STATE',
    message: '',
  });
  expect(oracle.violations).toEqual([]);
});

test('whatever contradicts an answer is told', () => {
  expect(
    wrong((oracle) => {
      oracle.isIn('a', 'cancelled');
      oracle.wasDelivered(lease('a', 1));
      oracle.wasDelivered(lease('a', 2));
    }),
  ).toContain('after it was answered as cancelled');
  expect(
    wrong((oracle) => {
      oracle.isIn('a', 'cancelled');
      oracle.wasDelivered(lease('a', 1));
      oracle.wasSettled(lease('a', 1), 'ack', done);
    }),
  ).toContain('answered as cancelled, then as done');
  expect(
    wrong((oracle) => {
      oracle.isIn('a', 'dead');
      oracle.wasDelivered(lease('a', 1));
    }),
  ).toContain('after it was answered as dead');
  expect(
    wrong((oracle) => {
      oracle.wasDelivered(lease('a', 2));
      oracle.wasDelivered(lease('a', 2));
    }),
  ).toContain('a token that is not newer');
  expect(
    wrong((oracle) => {
      oracle.wasSettled(lease('a', 1), 'ack', done);
      oracle.wasSettled(lease('a', 2), 'ack', done);
    }),
  ).toContain('acknowledged twice');
  expect(
    wrong((oracle) => {
      oracle.isIn('a', 'done');
      oracle.isIn('a', 'cancelled');
    }),
  ).toContain('answered as done, then as cancelled');
  expect(
    wrong((oracle) => {
      oracle.wasSettled(lease('a', 1), 'retry', { ok: true, state: 'ready' });
      oracle.wasDelivered(lease('a', 2, 1));
    }),
  ).toContain('which it had been charged');
  expect(
    wrong((oracle) => {
      oracle.hasFollowUp('a', 'b');
      oracle.wasDelivered(lease('b', 1));
      oracle.wasDelivered(lease('a', 1));
    }),
  ).toContain('after its follow-up job');
  expect(
    wrong((oracle) => {
      oracle.notBeforeMs.set('a', Number.POSITIVE_INFINITY);
      oracle.wasDelivered(lease('a', 1));
    }),
  ).toContain('too early');
  expect(
    wrong((oracle) => {
      oracle.journalStands('a', 'x');
      oracle.journalStands('a', 'y');
    }),
  ).toContain('changed after it was answered');
});
