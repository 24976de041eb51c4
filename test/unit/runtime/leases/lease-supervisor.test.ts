/** Where the work of a lease is done: beside others, or alone because a crash lies behind its job. */

import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { createGates, type Gates } from '../../../../core/runtime/leases/gates.ts';
import { LeaseSupervisor } from '../../../../core/runtime/leases/lease-supervisor.ts';
import { MoneyKeeper } from '../../../../core/runtime/leases/money-keeper.ts';
import type { LeaseSupervisorOptions } from '../../../../core/runtime/leases/supervisor-options.ts';
import type { Services } from '../../../../core/runtime/pool/questions.ts';
import type { RunEnd, RunOptions } from '../../../../core/runtime/pool/run.ts';
import { ProviderHealth } from '../../../../core/runtime/providers/provider-health.ts';
import { projectionIn } from '../../../support/results.ts';
import { fakeJournal, fakeQueue, leaseOf, threadAgentOf } from '../../../support/runtime-fakes.ts';

const nothing = () => undefined;

interface Work {
  readonly work?: (services: Services) => Promise<RunEnd>;
}

/** A lease supervisor whose places of work only note which jobs they were given. */
async function supervisorOf(
  gatesWith: (gates: Gates) => Gates = (gates) => gates,
  { work = async () => ({ type: 'unstarted' }) }: Work = {},
) {
  const worked: string[] = [];
  const placeOf = (name: string) => ({
    run: ({ id }: { id: string }, { services }: RunOptions) => {
      worked.push(`${id} ${name}`);
      return { end: work(services), stop: nothing };
    },
  });
  const agent = threadAgentOf();
  const health = new ProviderHealth({
    probe: async () => ({ found: 'away' }),
    reload: async () => undefined,
    outage: { answeredMs: 1000, unansweredMs: 1000 },
    log: { info: nothing, warn: nothing },
    onChange: nothing,
    onHeld: nothing,
    onStuck: nothing,
  });
  const places = { pool: placeOf('in the pool'), isolated: placeOf('alone') };
  const supervisor = new LeaseSupervisor({
    ...(places as unknown as Pick<LeaseSupervisorOptions, 'pool' | 'isolated'>),
    journals: { of: () => fakeJournal() } as unknown as LeaseSupervisorOptions['journals'],
    money: new MoneyKeeper({ log: { warn: nothing }, random: Math.random }),
    outputs: projectionIn(tmpdir()),
    gates: gatesWith(createGates(health)),
    health,
    agents: new Map([[agent.agent.name, agent]]),
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    onReport: nothing,
    onChange: nothing,
  });
  const { queue, consumers, settledCount } = fakeQueue();
  const queues = [agent.agent.queue];
  const listeners = { onDelivery: nothing, onLeaseLost: nothing };
  const consumer = await queue.consume({ queues, credit: 3, ...listeners });
  const group = { queues, agents: [agent.agent.name], consumer };
  return { supervisor, group, worked, consumer: consumers[0]!, settledCount };
}

it('a job behind which a crash lies is worked on alone, and all others in the pool', async () => {
  const { supervisor, group, worked, settledCount } = await supervisorOf();
  supervisor.take(leaseOf({ job: { id: 'first' } }), group);
  supervisor.take(leaseOf({ job: { id: 'suspect' }, isolated: true, crashes: 1 }), group);
  supervisor.take(leaseOf({ job: { id: 'charged' }, attempt: 3 }), group);
  await settledCount(3);
  expect(worked).toEqual(['first in the pool', 'suspect alone', 'charged in the pool']);
});

it('a call that was under way when its thread died is charged as unknown', async () => {
  const { supervisor, group, consumer, settledCount } = await supervisorOf((gates) => gates, {
    async work({ money }) {
      await money.reserve({ hold: 7, model: 'm', boundMicros: 40, rates: null });
      return { type: 'crashed', cause: 'killed', message: 'it was killed' };
    },
  });
  supervisor.take(leaseOf({ job: { id: 'one', tags: ['night'] } }), group);
  await settledCount(1);
  expect(consumer.reserved).toMatchObject([{ hold: 7, agent: 'echo', tags: ['night'] }]);
  expect(consumer.charged).toMatchObject([
    { id: 'one', hold: 7, end: 'unknown', agent: 'echo', usage: { costMicros: 40 } },
  ]);
});

it('a lease that comes or is lost asks the gates as often with a thousand waiting as with one', async () => {
  let asked = 0;
  let isOpen = false;
  const { supervisor, group, worked, settledCount } = await supervisorOf((gates) => ({
    ...gates,
    room: () => {
      asked += 1;
      return isOpen ? Infinity : 0;
    },
  }));
  const leases = Array.from({ length: 1_000 }, (_, at) => leaseOf({ job: { id: `job ${at}` } }));
  for (const lease of leases) supervisor.take(lease, group);
  expect(asked).toBe(1_000);
  expect(supervisor.load(group)).toEqual({ held: 1_000, waiting: 1_000, writing: 0 });
  for (const lease of leases.splice(0, 500)) supervisor.lose(lease, 'lease_lost', 'gone');
  expect(supervisor.load(group)).toEqual({ held: 500, waiting: 500, writing: 0 });
  isOpen = true;
  supervisor.resume();
  await settledCount(500);
  expect(worked).toEqual(leases.map(({ job }) => `${job.id} in the pool`));
  await supervisor.idle();
  expect(supervisor.load(group)).toEqual({ held: 0, waiting: 0, writing: 0 });
});
