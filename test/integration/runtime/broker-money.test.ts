/** Budgets on a real broker: at no time is more billed than what is counted, nor more counted than allowed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../../../core/agent/index.ts';
import {
  type BudgetTerms,
  type JobQueue,
  newJob,
  openQueue,
} from '../../../core/job-queue/index.ts';
import type { Prices } from '../../../core/model/index.ts';
import { type Runtime, startRuntime } from '../../../core/runtime/index.ts';
import { agentOf } from '../../support/runtime-fakes.ts';
import { delta, type FakeServer, fakeServer, refuse, sse } from '../model/fake-server.ts';

/** In millionths, by what the server says that a call used. */
const callMicros = 11 + 2 * 7;
const priced = { m: { input: 1, output: 2 } };
const used = { choices: [], usage: { prompt_tokens: 11, completion_tokens: 7 } };

let dir: string;
let queue: JobQueue;
let server: FakeServer;
let runtime: Runtime | null = null;
let text = 'Hi.';
/** Called with the number of calls that were billed before. */
let onCall = async (_billed: number): Promise<void> => undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-bm-'));
  queue = await openQueue({
    broker: `file:${join(dir, '.aiq')}`,
    tokenFile: null,
    clientName: 'test',
  });
  let billed = 0;
  server = await fakeServer(async (response, _, count) => {
    await onCall(billed);
    // Some requests fail in ways that cost nothing.
    if (count % 7 === 3) return refuse(response, 400, { message: 'no', code: 'json_mode' });
    billed += 1;
    sse(response, [delta({ content: text }), delta({}, 'stop'), used, '[DONE]']);
    response.end();
  });
});
afterEach(async () => {
  await runtime?.abort();
  runtime = null;
  await queue.shutdown();
  await queue.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const model = { id: null, provider: null, options: { maxOutputTokens: 100 } };
const daily = (amountMicros: number): BudgetTerms => ({
  name: 'daily',
  amountMicros,
  currency: 'USD',
  per: 'day',
  timeZone: 'UTC',
  agent: null,
  model: null,
  tag: null,
  batch: null,
});

async function start(
  agent: Agent,
  budgets: readonly BudgetTerms[],
  prices: Prices = priced,
): Promise<Runtime> {
  const line = (): void => {};
  runtime = await startRuntime({
    queue,
    agents: [agent],
    provider: server.provider,
    outputDir: join(dir, 'out'),
    concurrency: 8,
    threads: 2,
    limits: { idleMs: 10_000, answerBytesMax: 100_000 },
    prices,
    budgets,
    graceMs: 5_000,
    log: { debug: line, info: line, warn: line, error: line },
  });
  return runtime;
}

const enqueue = (agent: Agent, count: number) =>
  queue.enqueue(
    Array.from({ length: count }, (_, index) =>
      newJob({
        agent: agent.name,
        agentDigest: agent.digest,
        queue: agent.queue,
        attemptsMax: 20,
        input: { text: `Text ${index}.` },
        source: `note-${index}`,
      }),
    ),
  );
const budget = async () => (await queue.budgets()).find(({ terms }) => terms.per === 'day')!;

describe('a budget', () => {
  it('is never exceeded and never below what was billed; what does not fit waits for more', async () => {
    const amountMicros = 3_600;
    const problems: string[] = [];
    onCall = async (billed) => {
      const { settledMicros, heldMicros, unknownMicros } = await budget();
      const counted = settledMicros + heldMicros + unknownMicros;
      if (counted > amountMicros) problems.push(`${counted} are counted`);
      if (counted < (billed + 1) * callMicros) problems.push(`${billed + 1} calls, ${counted}`);
    };
    const agent = agentOf({ model, retry: { delayMs: 10, maxDelayMs: 20 } });
    await enqueue(agent, 120);
    const { counts } = await (await start(agent, [daily(amountMicros)])).untilEmpty();
    onCall = async () => undefined;
    expect(problems).toEqual([]);
    const after = await budget();
    expect(after).toMatchObject({ heldMicros: 0, unknownMicros: 0 });
    expect(after.settledMicros).toBe(counts.done * callMicros);
    expect(after.settledMicros).toBeLessThanOrEqual(amountMicros);
    expect(counts.done).toBeGreaterThan(0);
    expect(after.parked).toBeGreaterThan(0);
    const { jobs } = await queue.list({ queue: agent.queue, state: 'parked' });
    expect(jobs[0]).toMatchObject({ parkKey: 'budget:daily', errorCode: 'budget', attempts: 0 });
    expect(jobs[0]?.errorMessage).toMatch(/^parked: budget daily, needs 0\.\d+, 0\.\d+ left$/);

    await queue.raiseBudget('daily', 100_000);
    await (await start(agent, [daily(amountMicros)])).untilEmpty();
    expect((await queue.stats([agent.queue])).queues[0]).toMatchObject({ parked: 0, ready: 0 });
    expect(await budget()).toMatchObject({ heldMicros: 0, unknownMicros: 0, parked: 0 });
  });

  it('of one job holds over its attempts: the job is parked for it, with its answers', async () => {
    text = '{}';
    const agent = agentOf({
      model,
      limits: { maxCost: 0.0017 },
      output: {
        format: 'json',
        schema: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
      },
    });
    await enqueue(agent, 1);
    const { counts } = await (await start(agent, [])).untilEmpty();
    text = 'Hi.';
    expect(counts).toMatchObject({ done: 0, dead: 0, returned: 1 });
    const { jobs } = await queue.list({ queue: agent.queue });
    expect(jobs).toMatchObject([{ state: 'parked', parkKey: 'budget:echo.maxCost', attempts: 0 }]);
    const [state] = await queue.budgets();
    expect(state).toMatchObject({ settledMicros: callMicros, heldMicros: 0, parked: 1 });
  });
});

it('without a price calls are counted, as such, and no budget asks about them', async () => {
  const agent = agentOf({ model });
  await enqueue(agent, 20);
  const { counts } = await (await start(agent, [], {})).untilEmpty();
  const [row, ...others] = await queue.costs(0, 2 ** 32 - 1);
  expect(others).toEqual([]);
  expect(row).toMatchObject({
    agent: agent.name,
    model: 'm',
    calls: counts.done,
    inputTokens: counts.done * 11,
    outputTokens: counts.done * 7,
    settledMicros: 0,
    unknownMicros: 0,
    unknownCalls: 0,
    unpricedCalls: counts.done,
    estimatedCalls: 0,
  });
});
