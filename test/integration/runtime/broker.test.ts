/** The consumer on a real broker: jobs to files, and when a run until empty may end. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type JobQueue,
  type LeasedJob,
  limits,
  newJob,
  openQueue,
} from '../../../core/job-queue/index.ts';
import { type Runtime, startRuntime } from '../../../core/runtime/index.ts';
import { agentOf } from '../../support/runtime-fakes.ts';
import { type FaultServer, faultServer } from '../../support/servers/fault-server.ts';

let dir: string;
let queue: JobQueue;
let endpoint: FaultServer;
let runtime: Runtime | null = null;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-rt-'));
  const broker = `file:${join(dir, '.aiq')}`;
  queue = await openQueue({ broker, tokenFile: null, clientName: 'test' });
  endpoint = await faultServer();
});
afterEach(async () => {
  await runtime?.abort();
  runtime = null;
  await queue.shutdown();
  await queue.close();
  await endpoint.close();
  await rm(dir, { recursive: true, force: true });
});

const agent = agentOf({ retry: { delayMs: 50, maxDelayMs: 200 } });
const common = {
  agent: agent.name,
  agentDigest: agent.digest,
  queue: agent.queue,
  attemptsMax: 20,
};
const enqueue = (count: number, source = 'note') =>
  queue.enqueue(
    Array.from({ length: count }, (_, index) =>
      newJob({
        ...common,
        input: { text: `Text number ${index} of ${source}.` },
        source: `${source}-${index}`,
      }),
    ),
  );

async function start(model: string): Promise<Runtime> {
  const line = (): void => {};
  runtime = await startRuntime({
    queue,
    agents: [agent],
    provider: endpoint.provider,
    modelFlag: model,
    outputDir: join(dir, 'out'),
    concurrency: 8,
    threads: 2,
    limits: { idleMs: 10_000, answerBytesMax: 100_000 },
    prices: {},
    graceMs: 5_000,
    log: { debug: line, info: line, warn: line, error: line },
  });
  return runtime;
}

describe('what a job made', () => {
  it('is in the queue with its acknowledgement, a long text as well as a short one', async () => {
    const sentence = (length: number) => `This sentence ends in ${'x'.repeat(length)} here.`;
    await queue.enqueue(
      [10, 90_000].map((length) =>
        newJob({ ...common, input: { text: sentence(length) }, source: `note-${length}` }),
      ),
    );
    const running = await start('aiq-offline');
    expect((await running.untilEmpty()).counts).toMatchObject({ done: 2 });
    const { jobs } = await queue.list({ queue: 'echo' });
    expect(jobs).toHaveLength(2);
    for (const { id, source } of jobs) {
      const file = await readFile(join(dir, 'out', `${source}.md`), 'utf8');
      expect(Buffer.from((await queue.result(id)) ?? '').toString()).toBe(file);
      if (source === 'note-90000') expect(file.length).toBeGreaterThan(limits.inlineBytesMax);
    }
  });
});

describe('on a real broker', () => {
  it('every job becomes one file, through failures and retries', async () => {
    await enqueue(30);
    const running = await start('aiq-offline?error=500:0.2&cut=0.1&seed=11');
    const { counts } = await running.untilEmpty();
    expect(counts).toMatchObject({ done: 30, dead: 0, held: 0 });
    const files = (await readdir(join(dir, 'out'))).filter((name) => name !== '.aiq');
    expect(files).toHaveLength(30);
    expect((await queue.stats(['echo'])).queues[0]).toMatchObject({ done: 30, ready: 0 });
  });

  it('a run until empty outlasts the lease of another session', async () => {
    await enqueue(1, 'other');
    const taken = Promise.withResolvers<LeasedJob>();
    const other = await queue.consume({
      queues: ['echo'],
      credit: 1,
      onDelivery: (leased) => taken.resolve(leased),
      onLeaseLost: () => {},
    });
    const leased = await taken.promise;
    await enqueue(3, 'mine');
    const running = await start('aiq-offline');
    let ended = false;
    const ending = (async () => {
      await running.untilEmpty();
      ended = true;
    })();
    // Three polls after our own work is done show that it waits.
    const asked = queue.stats.bind(queue);
    const thirdPoll = Promise.withResolvers<void>();
    let polls = 0;
    queue.stats = (queues) => {
      if (running.counts.done === 3) polls += 1;
      if (polls === 3) thirdPoll.resolve();
      return asked(queues);
    };
    await thirdPoll.promise;
    expect(ended).toBe(false);
    await other.settle(leased, { outcome: 'ack' });
    await ending;
    await other.close();
    expect((await queue.stats(['echo'])).queues[0]).toMatchObject({ done: 4, leased: 0 });
  });

  it('a drained consumer leaves its jobs to the next one, uncharged', async () => {
    await enqueue(4);
    const first = await start('aiq-offline?latency=60s');
    while (endpoint.calls() < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await first.abort();
    const second = await start('aiq-offline');
    expect((await second.untilEmpty()).counts.done).toBe(4);
    const { jobs } = await queue.list({ queue: 'echo' });
    expect(jobs.map(({ attempts, crashes }) => [attempts, crashes])).toEqual(
      Array.from({ length: 4 }, () => [0, 0]),
    );
  });
});
