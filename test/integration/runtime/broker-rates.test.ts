/** Rates on a real broker: limits hold over consumers that know nothing of each other. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type JobQueue, newJob, openQueue } from '../../../core/job-queue/index.ts';
import type { Provider } from '../../../core/model/index.ts';
import { type Runtime, startRuntime } from '../../../core/runtime/index.ts';
import { agentOf } from '../../support/runtime-fakes.ts';
import { type FakeServer, fakeServer, goodAnswer } from '../model/fake-server.ts';

const jobs = 40;
const noLimits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };

let dir: string;
let queues: JobQueue[] = [];
let runtimes: Runtime[] = [];
let server: FakeServer;
const seen = { calls: 0, inFlight: 0, most: 0 };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-br-'));
  Object.assign(seen, { calls: 0, inFlight: 0, most: 0 });
  server = await fakeServer(async (response) => {
    seen.calls += 1;
    seen.inFlight += 1;
    seen.most = Math.max(seen.most, seen.inFlight);
    await sleep(20);
    seen.inFlight -= 1;
    goodAnswer(response);
  });
});
afterEach(async () => {
  await Promise.all(runtimes.splice(0).map((runtime) => runtime.abort()));
  await queues[0]?.shutdown();
  await Promise.all(queues.splice(0).map((queue) => queue.close()));
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

/** Two consumers with eight places each, and so many jobs. */
async function start(limits: Partial<NonNullable<Provider['limits']>>): Promise<JobQueue> {
  const line = (): void => {};
  const broker = `file:${join(dir, '.aiq')}`;
  const agent = agentOf();
  const provider = { ...server.provider, limits: { ...noLimits, ...limits } };
  for (const clientName of ['one', 'two']) {
    const queue = await openQueue({ broker, tokenFile: null, clientName });
    queues.push(queue);
    const runtime = await startRuntime({
      queue,
      agents: [agent],
      provider,
      outputDir: join(dir, 'out'),
      concurrency: 8,
      threads: 2,
      limits: { idleMs: 10_000, answerBytesMax: 100_000 },
      prices: {},
      graceMs: 500,
      log: { debug: line, info: line, warn: line, error: line },
    });
    runtimes.push(runtime);
  }
  const [queue] = queues;
  if (queue === undefined) throw new Error('there is no queue');
  const { name, digest, queue: own } = agent;
  const job = { agent: name, agentDigest: digest, queue: own, attemptsMax: 3 };
  await queue.enqueue(
    Array.from({ length: jobs }, (_, index) =>
      newJob({ ...job, input: { text: `Text ${index}.` }, source: `note-${index}` }),
    ),
  );
  return queue;
}

it('no more calls are in flight at all consumers together than a provider may have', async () => {
  await start({ concurrency: 3 });
  await Promise.all(runtimes.map((runtime) => runtime.untilEmpty()));
  expect(seen).toEqual({ calls: jobs, inFlight: 0, most: 3 });
});

it('what waits for its turn is handed back when its consumer stops', async () => {
  const queue = await start({ requestsPerMinute: 6 });
  while (seen.calls < 1) await sleep(10);
  await Promise.all(runtimes.splice(0).map((runtime) => runtime.drain()));
  const [stats] = (await queue.stats()).queues;
  expect(stats).toMatchObject({ leased: 0, done: 1, dead: 0, ready: jobs - 1 });
});
