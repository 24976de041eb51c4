/** Where the work of a lease is done: beside the others, or alone because a crash lies behind it. */

import { expect, it } from 'vitest';
import { Desk } from '../../../core/runtime/desk.ts';
import { createGates } from '../../../core/runtime/gates.ts';
import type { RunEnd } from '../../../core/runtime/pool/run.ts';
import { fakeJournal, fakeQueue, leaseOf, threadAgentOf } from '../../support/runtime-fakes.ts';

/** A desk whose places of work only note which jobs they were given. */
async function deskOf() {
  const worked: string[] = [];
  const placeOf = (name: string) => ({
    run: ({ id }: { id: string }) => {
      worked.push(`${id} ${name}`);
      return { end: Promise.resolve<RunEnd>({ type: 'unstarted' }), stop: () => undefined };
    },
  });
  const { queue, settledCount } = fakeQueue();
  const agent = threadAgentOf();
  const consumer = await queue.consume({ queues: ['echo'], credit: 1 } as never);
  const desk = new Desk({
    pool: placeOf('in the pool'),
    isolated: placeOf('alone'),
    journals: { of: () => fakeJournal() },
    gates: createGates(),
    agents: new Map([['echo', agent]]),
    log: console,
    onReport: () => undefined,
    onEndpointFailure: () => undefined,
    onChange: () => undefined,
  } as never);
  const group = { queues: ['echo'], agents: [agent], consumer };
  return { desk, group, worked, settledCount };
}

it('a job behind which a crash lies runs alone, and all others in the pool', async () => {
  const { desk, group, worked, settledCount } = await deskOf();
  desk.take(leaseOf({ job: { id: 'first' } }), group);
  desk.take(leaseOf({ job: { id: 'suspect' }, isolated: true, crashes: 1 }), group);
  desk.take(leaseOf({ job: { id: 'charged' }, attempt: 3 }), group);
  await settledCount(3);
  expect(worked).toEqual(['first in the pool', 'suspect alone', 'charged in the pool']);
});
