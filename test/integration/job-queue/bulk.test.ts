/** Operations on many jobs, settings and searching through the port, against a broker that is told what to say. */

import { describe, expect, test } from 'vitest';
import { type JobQueue, openQueue } from '../../../core/job-queue/index.ts';
import type { Message } from '../../../core/protocol/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import { infoWith } from '../../support/job-info.ts';
import {
  type Answer,
  codeOf,
  type FakeBroker,
  type FakeBrokerOptions,
  failure,
  type Received,
  startFakeBroker,
} from '../../support/servers/fake-broker.ts';

async function rig(
  answer: NonNullable<FakeBrokerOptions['answer']>,
): Promise<{ broker: FakeBroker; queue: JobQueue }> {
  const broker = await startFakeBroker({ answer: (...told) => pong(told[0]) ?? answer(...told) });
  const address = { broker: `unix:${broker.socketPath}`, tokenFile: null, clientName: 'test' };
  const queue = await openQueue(address);
  closeAfterTest(broker, queue);
  return { broker, queue };
}

function pong({ name }: Received): Answer | null {
  return name === 'Ping' || name === 'Goodbye' ? { name: 'Ok', fields: {} } : null;
}

function bulkOk(touched: number, done: boolean): Answer {
  return { name: 'BulkOk', fields: { bulk: 7, touched, done } };
}

/** Answers the beginning with 0 jobs and each look with the next of the steps. */
function stepping(steps: readonly Answer[]): FakeBrokerOptions['answer'] & object {
  const left = [...steps];
  return ({ name }) => (name === 'Bulk' ? (left.shift() ?? 'silence') : bulkOk(0, false));
}

function asked(broker: FakeBroker): unknown[] {
  const isBulk = ({ name }: Received): boolean => name !== 'Ping' && name !== 'Goodbye';
  return broker.received.filter(isBulk).map(({ name, fields }) => [name, fields]);
}

describe('an operation on many jobs', () => {
  const begin: [string, (queue: JobQueue) => Promise<number>, unknown][] = [
    ['purge', (queue) => queue.purge('q'), ['Purge', { queue: 'q' }]],
    ['signal', (queue) => queue.signal('k'), ['Signal', { key: 'k' }]],
    ['retryDead', (queue) => queue.retryDead({}), ['RetryDead', { queue: null, errorCode: null }]],
    [
      'retryDead of a queue and a cause',
      (queue) => queue.retryDead({ queue: 'q', errorCode: 'timeout' }),
      ['RetryDead', { queue: 'q', errorCode: 'timeout' }],
    ],
  ];

  test.each(begin)('%s is begun once and looked after until it is done', async (_, act, first) => {
    const { broker, queue } = await rig(stepping([bulkOk(1000, false), bulkOk(1234, true)]));
    expect(await act(queue)).toBe(1234);
    expect(asked(broker)).toEqual([first, ['Bulk', { bulk: 7 }], ['Bulk', { bulk: 7 }]]);
  });

  test('tells its progress', async () => {
    const { queue } = await rig(stepping([bulkOk(1000, false), bulkOk(1234, true)]));
    const told: number[] = [];
    await queue.purge('q', { onProgress: (touched) => told.push(touched) });
    expect(told).toEqual([0, 1000, 1234]);
  });

  test('that was done at once is not asked about', async () => {
    const { broker, queue } = await rig(() => bulkOk(3, true));
    expect(await queue.purge('q')).toBe(3);
    expect(asked(broker)).toEqual([['Purge', { queue: 'q' }]]);
  });

  test('that the broker no longer remembers is done', async () => {
    const { queue } = await rig(stepping([bulkOk(1000, false), failure('NOT_FOUND')]));
    expect(await queue.purge('q')).toBe(1000);
  });

  test('goes on without the one who no longer waits for it', async () => {
    const { queue } = await rig(stepping([]));
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(queue.purge('q', { signal })).rejects.toMatchObject({ cause: reason });
  });

  test('survives a lost connection while it is asked about, and not at its beginning', async () => {
    const all = await rig(stepping(['cut', bulkOk(9, true)]));
    expect(await all.queue.purge('q')).toBe(9);
    const { queue } = await rig(() => 'cut');
    expect(await codeOf(queue.purge('q'))).toBe('OUTCOME_UNKNOWN');
  });
});

test('settings of a queue are sent as they were given', async () => {
  const { broker, queue } = await rig(() => ({ name: 'Ok', fields: {} }));
  const settings = { jobsMax: 1, bytesMax: 2, keepMs: 3, keepJobs: 4 };
  await queue.configureQueue('q', settings);
  expect(asked(broker)).toEqual([['ConfigureQueue', { queue: 'q', ...settings }]]);
});

describe('searching', () => {
  const page = (ids: number[], next: string): Answer => ({
    name: 'SearchOk',
    fields: { jobs: ids.map((id) => infoWith({ source: String(id) })), next, offset: 5 },
  });
  const searches = (broker: FakeBroker): Message<'Search'>[] =>
    broker.received.flatMap((one) => (one.name === 'Search' ? [one.fields] : []));

  test('asks on until the page is full, and gives the cursor for the next', async () => {
    const left = [page([1, 2], 'b'), page([3], 'c')];
    const { broker, queue } = await rig(() => left.shift() ?? 'silence');
    const found = await queue.search({ queue: 'q', tag: 't', costMicrosMin: 5, limit: 3 });
    expect(found.jobs.map(({ source }) => source)).toEqual(['1', '2', '3']);
    expect(found).toMatchObject({ next: 'c', offset: 5 });
    expect(searches(broker)).toMatchObject([
      { queue: 'q', tag: 't', costMicrosMin: 5, after: '', limit: 3, agent: null, states: [] },
      { after: 'b', limit: 1 },
    ]);
  });

  test('ends with the history', async () => {
    const { broker, queue } = await rig(() => page([1], ''));
    const found = await queue.search({ after: 'x', states: ['dead'], sinceMs: 1, untilMs: 2 });
    expect(found).toMatchObject({ next: null, offset: 5 });
    expect(searches(broker)).toMatchObject([
      { after: 'x', states: ['dead'], sinceMs: 1, untilMs: 2, limit: 100 },
    ]);
  });
});
