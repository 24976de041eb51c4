/** What changes of agents while a consumer runs. */

import { expect, it } from 'vitest';
import { AiqError } from '../../../../core/job-queue/index.ts';
import { chooseAgents } from '../../../../core/runtime/agents/agents.ts';
import { Reread } from '../../../../core/runtime/agents/reread.ts';
import type { RuntimeOptions } from '../../../../core/runtime/index.ts';
import { agentOf, fakeQueue, threadAgentOf } from '../../../support/runtime-fakes.ts';

const line = (): void => {};
const limited = (maxCost: number | null) =>
  agentOf({
    limits: { maxCost },
    model: { id: null, provider: null, options: { maxOutputTokens: 9 } },
  });

/** A consumer of an agent with that limit, whose file has the other one by now. */
async function rereading(before: number | null, now: number | null) {
  const { queue, budgets } = fakeQueue();
  const { provider } = threadAgentOf();
  const options: RuntimeOptions = {
    queue,
    agents: [limited(before)],
    provider,
    outputDir: '/out',
    concurrency: 1,
    threads: 1,
    limits: { idleMs: 1, answerBytesMax: 1 },
    prices: { 'test-model': { input: 1, output: 1 } },
    graceMs: 1,
    log: { debug: line, info: line, warn: line, error: line },
    rereadAgents: async () => [limited(now)],
    reload: async () => ({ agents: [limited(now)], provider }),
  };
  const agents = await chooseAgents(options);
  const reread = new Reread(options, agents, () => []);
  return { reread, agents, queue, budgets };
}

it('another limit of what a job may cost is known to the broker before it is used', async () => {
  const { reread, agents, budgets } = await rereading(null, 0.5);
  await reread.agents();
  expect(budgets).toMatchObject([{ name: 'echo.maxCost', amountMicros: 500_000, per: 'job' }]);
  expect(agents.get('echo')?.agent.limits.maxCost).toBe(0.5);
});

it('a limit that was taken away binds no more', async () => {
  const { reread, queue, budgets } = await rereading(0.5, null);
  await queue.setBudgets([
    {
      name: 'echo.maxCost',
      amountMicros: 1,
      currency: 'USD',
      per: 'job',
      timeZone: 'UTC',
      agent: 'echo',
      model: null,
      tag: null,
      batch: null,
    },
  ]);
  await reread.all();
  expect(budgets).toEqual([]);
});

it('an agent stays as it was while its limit cannot be made known', async () => {
  const { reread, agents, queue } = await rereading(null, 0.5);
  queue.setBudgets = () => Promise.reject(new AiqError('UNREACHABLE', 'nobody answers'));
  await expect(reread.agents()).rejects.toThrow('nobody answers');
  await reread.all();
  expect(agents.get('echo')?.agent.limits.maxCost).toBeNull();
});
