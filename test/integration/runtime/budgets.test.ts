/** Money through threads and processes, and the budgets that a consumer makes known before it begins. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../../../core/agent/index.ts';
import { AiqError, type BudgetTerms } from '../../../core/job-queue/index.ts';
import {
  type JobReport,
  type Runtime,
  type RuntimeOptions,
  startRuntime,
} from '../../../core/runtime/index.ts';
import { agentOf, fakeQueue, leaseOf } from '../../support/runtime-fakes.ts';
import { type FaultServer, faultServer } from '../../support/servers/fault-server.ts';

let root: string;
let endpoint: FaultServer;
let runtime: Runtime | null = null;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-budgets-'));
  endpoint = await faultServer();
});
afterEach(async () => {
  await runtime?.abort();
  runtime = null;
  await endpoint.close();
  await rm(root, { recursive: true });
});

const capped = { id: null, provider: null, options: { maxOutputTokens: 1000 } };
const prices = { 'aiq-offline': { input: 1, output: 2 } };
const daily: BudgetTerms = {
  name: 'daily',
  amountMicros: 5_000_000,
  currency: 'USD',
  per: 'day',
  timeZone: 'UTC',
  agent: null,
  model: null,
  tag: null,
  batch: null,
};
const maxCost = (agent: string, amountMicros: number): BudgetTerms => ({
  ...daily,
  name: `${agent}.maxCost`,
  amountMicros,
  per: 'job',
  agent,
});

async function start(options: Partial<RuntimeOptions> = {}, fake = fakeQueue()) {
  const reports: JobReport[] = [];
  const lines: string[] = [];
  const line = (_: unknown, message: string) => lines.push(message);
  const starting = startRuntime({
    queue: fake.queue,
    agents: [agentOf({ model: capped })],
    provider: endpoint.provider,
    outputDir: root,
    concurrency: 4,
    threads: 1,
    limits: { idleMs: 10_000, answerBytesMax: 100_000 },
    prices,
    graceMs: 10_000,
    log: { debug: line, info: line, warn: line, error: line },
    onJob: (report) => reports.push(report),
    ...options,
  });
  return { fake, lines, reports, starting };
}

async function started(options: Partial<RuntimeOptions> = {}) {
  const { fake, lines, reports, starting } = await start(options);
  runtime = await starting;
  return { ...fake, consumer: fake.consumers[0]!, lines, reports, runtime };
}

describe('a job', () => {
  it.each([
    ['in the pool', {}],
    ['in a process of its own', { isolated: true, crashes: 1 }],
  ])('%s reserves before it calls, and its charge is kept with the answer', async (_, lease) => {
    const { consumer, settledCount } = await started();
    const reserving = Promise.withResolvers<{ ok: true }>();
    consumer.reserving = () => reserving.promise;
    consumer.options.onDelivery(leaseOf({ ...lease, job: { id: 'one', tags: ['night'] } }));
    while (consumer.reserved.length === 0) await new Promise(setImmediate);
    expect(endpoint.calls()).toBe(0);
    reserving.resolve({ ok: true });
    await settledCount(1);
    const [call] = consumer.reserved;
    expect(call).toMatchObject({ agent: 'echo', model: 'aiq-offline', tags: ['night'] });
    expect(consumer.kept).toMatchObject([{ id: 'one', hold: call?.hold, agent: 'echo' }]);
    expect(consumer.charged).toEqual([]);
    expect(endpoint.calls()).toBe(1);
  });

  it('is parked where a budget has no room, uncharged, and the report says why', async () => {
    const { consumer, reports, settledCount, runtime: running } = await started();
    const none = { reason: 'amount', budget: 'daily', leftMicros: 1_000, opensAtMs: null } as const;
    consumer.reserving = async () => ({ ok: false, ...none });
    consumer.settling = async () => ({ ok: true, state: 'parked' });
    consumer.options.onDelivery(leaseOf());
    await settledCount(1);
    expect(consumer.settled[0]?.settle).toMatchObject({
      outcome: 'returned',
      park: 'budget:daily',
      errorCode: 'budget',
    });
    while (reports.length === 0) await new Promise(setImmediate);
    expect(reports[0]).toMatchObject({ outcome: 'returned', state: 'parked', errorCode: 'budget' });
    expect(reports[0]?.errorMessage).toMatch(/^parked: budget daily, needs 0\.00\d+, 0\.001 left$/);
    expect(running.counts).toMatchObject({ returned: 1, dead: 0, retried: 0 });
    expect(endpoint.calls()).toBe(0);
  });

  it('whose call fails charges it alone, before the consumer has stopped', async () => {
    const {
      consumer,
      settledCount,
      runtime: running,
    } = await started({
      modelFlag: 'aiq-offline?error=500:1',
    });
    let refusals = 2;
    consumer.charging = async () => {
      refusals -= 1;
      if (refusals >= 0) throw new AiqError('UNREACHABLE', 'nobody answers');
    };
    consumer.options.onDelivery(leaseOf({ job: { id: 'one' } }));
    await settledCount(1);
    await running.drain();
    expect(consumer.charged).toMatchObject([{ id: 'one', end: 'unknown', usage: { calls: 1 } }]);
  });

  it('of a model without a price asks for nothing, and its call is counted with its answer', async () => {
    const { consumer, settledCount } = await started({ prices: {} });
    consumer.options.onDelivery(leaseOf());
    await settledCount(1);
    expect([consumer.reserved, consumer.charged]).toEqual([[], []]);
    expect(consumer.kept).toMatchObject([{ hold: 0, end: 'settled', usage: { calls: 1 } }]);
    expect(consumer.settled[0]?.settle.outcome).toBe('ack');
  });
});

describe('a consumer that starts', () => {
  const limited = (limit: number | null): Agent =>
    agentOf({ model: capped, limits: { maxCost: limit } });

  it('makes its budgets known before it takes jobs, and those of its agents as they are now', async () => {
    const fake = fakeQueue();
    fake.budgets.push(maxCost('echo', 7), maxCost('other', 9));
    const { starting } = await start({ budgets: [daily], agents: [limited(0.25)] }, fake);
    runtime = await starting;
    expect(fake.budgets).toEqual([maxCost('other', 9), daily, maxCost('echo', 250_000)]);
  });

  it('removes the budget of an agent that has no limit any more', async () => {
    const fake = fakeQueue();
    fake.budgets.push(maxCost('echo', 7), maxCost('other', 9), daily);
    const { starting } = await start({ agents: [limited(null)] }, fake);
    runtime = await starting;
    expect(fake.budgets).toEqual([maxCost('other', 9), daily]);
  });

  it('does not start with a budget that is known with other terms, and takes nothing', async () => {
    const fake = fakeQueue();
    const conflict = new AiqError('CONFLICT', 'budget daily is known with other terms');
    Object.assign(fake.queue, { setBudgets: () => Promise.reject(conflict) });
    const { starting } = await start({ budgets: [daily] }, fake);
    await expect(starting).rejects.toThrow('budget daily is known with other terms');
    expect(fake.consumers).toEqual([]);
  });

  it('starts without budgets where the broker knows none, but not with them', async () => {
    const fake = fakeQueue();
    const unsupported = () => Promise.reject(new AiqError('UNSUPPORTED', 'not served'));
    Object.assign(fake.queue, { setBudgets: unsupported, budgets: unsupported });
    const { starting } = await start({}, fake);
    runtime = await starting;
    const { starting: other } = await start({ agents: [limited(1)] }, fake);
    await expect(other).rejects.toThrow('not served');
  });

  it.each<[string, Partial<RuntimeOptions>, RegExp | null]>([
    [
      'without a price',
      { budgets: [daily], prices: {} },
      /has no price, and budget daily counts.*prices: \{ "aiq-offline": \{ input: 0\.25, output: 2 \} \}/,
    ],
    [
      'without a price, by its own limit',
      { agents: [limited(1)], prices: {} },
      /has no price, and budget echo\.maxCost/,
    ],
    [
      'without a limit of its answers',
      { budgets: [daily], agents: [agentOf()] },
      /nothing limits.*fits budget daily.*model: \{ options: \{ maxOutputTokens: 4096 \} \}/,
    ],
    ['with a known largest answer', { budgets: [daily], agents: [agentOf()] }, null],
    [
      'that is free',
      { budgets: [daily], agents: [agentOf()], prices: { 'aiq-offline': { input: 0, output: 0 } } },
      null,
    ],
    [
      "of another agent's budget",
      { budgets: [{ ...daily, agent: 'other' }], prices: {}, agents: [agentOf()] },
      null,
    ],
    [
      "of another model's budget",
      { budgets: [{ ...daily, model: 'other' }], prices: {}, agents: [agentOf()] },
      null,
    ],
  ])(
    'leaves out an agent whose calls no budget can hold: a model %s',
    async (what, options, why) => {
      const contextTokens = what === 'with a known largest answer' ? { 'aiq-offline': 8_000 } : {};
      const provider = { ...endpoint.provider, contextTokens };
      const second = agentOf({ name: 'second', model: { ...capped, id: 'aiq-free' } });
      const free = { 'aiq-free': { input: 0, output: 0 } };
      const agents = [...(options.agents ?? [agentOf({ model: capped })]), second];
      const { lines } = await started({
        provider,
        ...options,
        agents,
        prices: { ...free, ...(options.prices ?? prices) },
      });
      const left = lines.filter((line) => line.startsWith('agent left out'));
      expect(left).toHaveLength(why === null ? 0 : 1);
      if (why !== null) expect(left[0]).toMatch(why);
    },
  );
});
