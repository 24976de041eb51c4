/** The whole consumer with real threads and a real endpoint; the broker is played by the test. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AiqError, type LeasedJob } from '../../../core/job-queue/index.ts';
import { OutputFolder } from '../../../core/output/index.ts';
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
  root = await mkdtemp(join(tmpdir(), 'aiq-runtime-'));
  endpoint = await faultServer();
});
afterEach(async () => {
  await runtime?.abort();
  runtime = null;
  await endpoint.close();
  await rm(root, { recursive: true });
});

/** Starts a runtime for the agent, and a way to deliver jobs to it. */
async function start(options: Partial<RuntimeOptions> = {}) {
  const fake = fakeQueue();
  const reports: JobReport[] = [];
  const lines: string[] = [];
  const line = (_: unknown, message: string) => lines.push(message);
  runtime = await startRuntime({
    queue: fake.queue,
    agents: [agentOf()],
    provider: endpoint.provider,
    outputDir: root,
    concurrency: 4,
    threads: 2,
    limits: { idleMs: 10_000, answerBytesMax: 100_000 },
    prices: {},
    graceMs: 10_000,
    log: { debug: line, info: line, warn: line, error: line },
    onJob: (report) => reports.push(report),
    ...options,
  });
  const [consumer] = fake.consumers;
  const deliver = (...leases: LeasedJob[]) => {
    for (const leased of leases) consumer!.options.onDelivery(leased);
    return leases;
  };
  return { ...fake, consumer: consumer!, deliver, reports, lines, runtime };
}

const files = async () => (await readdir(root)).filter((name) => name !== '.aiq').toSorted();
const slow = { modelFlag: 'aiq-offline?latency=60s' };
const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const calling = (count: number) => until(() => endpoint.calls() >= count);

describe('a job', () => {
  it('becomes a file, then an ack that says where, then a report', async () => {
    const { deliver, settledCount, consumer, reports } = await start();
    deliver(leaseOf({ job: { id: 'one' } }), leaseOf({ job: { id: 'two' } }));
    await settledCount(2);
    await until(() => reports.length === 2);
    expect(await files()).toEqual(['one.md', 'two.md']);
    const { settle } = consumer.settled.find(({ leased }) => leased.job.id === 'one')!;
    expect(settle.outcome).toBe('ack');
    expect(JSON.parse(settle.note ?? '')).toMatchObject({
      root,
      files: ['one.md'],
      provider: 'test',
      model: 'aiq-offline',
    });
    const ends = reports.map(({ id, outcome, state }) => `${id} ${outcome} ${state}`);
    expect(ends.toSorted()).toEqual(['one ack done', 'two ack done']);
  });

  it('may have a thousand years, and is not ended by a timer that cannot hold them', async () => {
    const ms = 365_250 * 86_400_000;
    const { deliver, settledCount, consumer } = await start({
      agents: [agentOf({ limits: { timeoutMs: ms } })],
      limits: { idleMs: ms, answerBytesMax: 100_000 },
      modelFlag: 'aiq-offline?latency=100ms',
    });
    deliver(leaseOf(), leaseOf({ isolated: true, crashes: 1 }));
    await settledCount(2);
    expect(consumer.settled.map(({ settle }) => settle.outcome)).toEqual(['ack', 'ack']);
  });

  it('of an unknown agent is refused for good and calls nobody', async () => {
    const { deliver, settledCount, consumer } = await start();
    deliver(leaseOf({ job: { agent: 'stranger' } }));
    await settledCount(1);
    expect(consumer.settled.map(({ settle }) => [settle.outcome, settle.errorCode])).toEqual([
      ['final', 'agent_unknown'],
    ]);
    expect(endpoint.calls()).toBe(0);
  });

  it('of an agent whose tool module is broken stays queued, and the other agents work', async () => {
    await writeFile(join(root, 'bad.js'), 'export const tool = {');
    const tooled = agentOf({ name: 'tooled', dir: root, tools: ['./bad.js'] });
    const { deliver, settledCount, consumer, lines } = await start({ agents: [agentOf(), tooled] });
    expect(lines.join()).toMatch(/agent left out: .*bad\.js:1:1: the module cannot be loaded/);
    expect(consumer.options.queues).toEqual(['echo']);
    deliver(leaseOf());
    await settledCount(1);
    expect(consumer.settled[0]?.settle.outcome).toBe('ack');
  });

  it('whose input makes a pattern backtrack without end is refused, and the others go on', async () => {
    const text = { type: 'string', pattern: '^(a+)+$' };
    const input = { schema: { type: 'object', properties: { text } }, primary: 'text' };
    const stuck = Buffer.from(JSON.stringify({ input: { text: `${'a'.repeat(50)}!` } }));
    const fine = Buffer.from(JSON.stringify({ input: { text: 'aaa' } }));
    const agents = [agentOf({ input: { ...input, schemaLine: 1 } })];
    const { deliver, settledCount, consumer, lines } = await start({ agents, threads: 1 });
    deliver(leaseOf({ job: { id: 'stuck', body: stuck } }), leaseOf({ job: { body: fine } }));
    await settledCount(2);
    const ends = consumer.settled.map(({ settle }) => [settle.outcome, settle.errorCode]);
    expect(ends).toEqual([
      ['final', 'input_invalid'],
      ['ack', undefined],
    ]);
    expect(lines.join()).not.toContain('thread died');
  });

  it.each([
    ['/elsewhere', false],
    ['relative/folder', true],
  ])(
    'that names the output folder %s is refused when others are %s',
    async (outputDir, allowed) => {
      const body = Buffer.from(JSON.stringify({ input: { text: 'x' }, outputDir }));
      const { deliver, settledCount, consumer } = await start({ jobOutputDirs: allowed });
      deliver(leaseOf({ job: { body } }));
      await settledCount(1);
      expect(consumer.settled[0]?.settle).toMatchObject({
        outcome: 'final',
        errorCode: 'output_dir_refused',
      });
    },
  );

  it('may name an absolute folder of its own where that is allowed', async () => {
    const outputDir = join(root, 'of its own');
    const body = Buffer.from(JSON.stringify({ input: { text: 'x' }, outputDir }));
    const { deliver, reports } = await start();
    deliver(leaseOf({ job: { id: 'one', body } }));
    await until(() => reports.length === 1);
    expect(await readdir(outputDir)).toEqual(['.aiq', 'one.md']);
  });
});

describe('what was paid for', () => {
  /** As if the consumer had died before it settled: the broker takes no result. */
  const loseSettle = (consumer: { settling: unknown }) =>
    Object.assign(consumer, {
      settling: async () => ({ ok: false, code: 'STALE_LEASE', message: 'too late' }),
    });
  const again = (id: string) => leaseOf({ token: { id, epoch: 1, delivery: 2 }, job: { id } });

  it('is kept before the job is acknowledged, and taken again by its next delivery', async () => {
    const { deliver, settledCount, consumer, journal } = await start();
    loseSettle(consumer);
    deliver(leaseOf({ job: { id: 'one' } }));
    await settledCount(1);
    expect(journal.asked).toEqual(['put']);
    deliver(again('one'));
    await settledCount(2);
    expect(endpoint.calls()).toBe(1);
    expect(consumer.settled[1]?.settle).toMatchObject({ outcome: 'ack', usage: { calls: 0 } });
  });

  it('is taken by an isolated delivery too, which has a process of its own', async () => {
    const { deliver, settledCount, consumer, journal, lines } = await start();
    loseSettle(consumer);
    deliver(leaseOf({ job: { id: 'one' } }));
    await settledCount(1);
    deliver({ ...again('one'), isolated: true, crashes: 1 });
    await settledCount(2);
    expect(consumer.settled[1]?.settle).toMatchObject({ outcome: 'ack', usage: { calls: 0 } });
    expect(endpoint.calls()).toBe(1);
    expect(journal.entries.size).toBe(1);
    expect(lines.join()).not.toMatch(/died|took its process down/);
  });

  it('goes on without a journal where the broker has none, and says so once', async () => {
    const { queue, deliver, settledCount, lines } = await start();
    const unsupported = async () => {
      throw new AiqError('UNSUPPORTED', 'this broker does not serve JournalPut');
    };
    Object.assign(queue, { journalPut: unsupported, journalGet: unsupported });
    deliver(leaseOf(), leaseOf());
    await settledCount(2);
    expect(lines.filter((line) => line.includes('keeps no journal'))).toHaveLength(1);
    expect(endpoint.calls()).toBe(2);
  });

  it('waits, uncharged, where the broker has no room for the result', async () => {
    const { deliver, settledCount, consumer, reports } = await start();
    consumer.settling = async (_, { output }) =>
      output === undefined
        ? { ok: true, state: 'delayed' }
        : { ok: false, code: 'DISK_FULL', message: 'the disk is full' };
    deliver(leaseOf({ job: { id: 'one' } }));
    await settledCount(2);
    await until(() => reports.length === 1);
    expect(consumer.settled[1]?.settle).toMatchObject({
      outcome: 'throttled',
      errorCode: 'no_room',
      usage: { calls: 1 },
    });
    expect(await files()).toEqual([]);
  });

  it('is no result where the lease was lost: nothing is written', async () => {
    const { deliver, consumer, reports } = await start();
    loseSettle(consumer);
    deliver(leaseOf({ job: { id: 'one' } }));
    await until(() => reports.length === 1);
    expect(reports[0]).toMatchObject({ outcome: 'lost', errorCode: 'stale_lease' });
    expect(await files()).toEqual([]);
  });
});

describe('a lost lease', () => {
  it('stops the work: nothing is settled and nothing is published', async () => {
    const { deliver, consumer, reports, runtime: running } = await start(slow);
    const [lost] = deliver(leaseOf({ job: { id: 'lost' } }));
    await calling(1);
    consumer.options.onLeaseLost(lost!, 'STALE_LEASE');
    await until(() => reports.length === 1);
    expect(reports[0]).toMatchObject({ id: 'lost', outcome: 'lost', state: null });
    await running.drain();
    expect(consumer.settled).toEqual([]);
    expect(await files()).toEqual([]);
    const folder = await OutputFolder.open(root);
    expect(await folder.find('lost')).toBeNull();
    await folder.close();
  });

  it('by cancellation stops the work too', async () => {
    const { deliver, consumer, reports } = await start(slow);
    const [cancelled] = deliver(leaseOf());
    await calling(1);
    consumer.options.onLeaseLost(cancelled!, 'BAD_STATE');
    await until(() => reports.length === 1);
    expect(reports[0]?.errorMessage).toMatch(/cancelled/);
    expect(consumer.settled).toEqual([]);
  });
});

describe('stopping', () => {
  it('drain finishes what runs and takes nothing new', async () => {
    const options = { modelFlag: 'aiq-offline?latency=300ms' };
    const { deliver, consumer, runtime: running } = await start(options);
    deliver(leaseOf({ job: { id: 'one' } }));
    await calling(1);
    await running.drain();
    expect(consumer.credits.at(-1)).toBe(0);
    expect(consumer.closed).toBe(true);
    expect(consumer.settled.map(({ settle }) => settle.outcome)).toEqual(['ack']);
    expect((await running.done).counts).toMatchObject({ done: 1, held: 0 });
  });

  it('drain hands back, uncharged, what does not finish in the grace time', async () => {
    const { deliver, consumer, runtime: running } = await start({ ...slow, graceMs: 50 });
    deliver(leaseOf(), leaseOf());
    await calling(2);
    await running.drain();
    expect(consumer.settled.map(({ settle }) => settle)).toEqual(
      Array.from({ length: 2 }, () =>
        expect.objectContaining({ outcome: 'returned', errorCode: 'shutdown', delayMs: 0 }),
      ),
    );
    expect(await files()).toEqual([]);
    expect((await running.done).counts).toMatchObject({ returned: 2, held: 0 });
  });

  it('abort cuts a drain short, even when the broker answers nothing', async () => {
    const { deliver, consumer, runtime: running } = await start(slow);
    consumer.settling = () => new Promise(() => {});
    deliver(leaseOf());
    await calling(1);
    const draining = running.drain();
    await running.abort();
    await draining;
    expect(consumer.closed).toBe(true);
    expect(consumer.settled.map(({ settle }) => settle.outcome)).toEqual(['returned']);
  });
});

describe('untilEmpty', () => {
  const openJobs = (parts: object) => ({ ready: 0, delayed: 0, leased: 0, ...parts });

  it('ends when what is left can only wait for a person, and says why; nothing is charged', async () => {
    const stuck: string[] = [];
    const {
      deliver,
      consumer,
      stats,
      runtime: running,
    } = await start({
      modelFlag: 'aiq-offline?error=401:1',
      onStuck: ({ code }) => stuck.push(code),
    });
    stats.push(openJobs({ queue: 'echo', ready: 1 }));
    deliver(leaseOf());
    const summary = await running.untilEmpty();
    expect(summary.fatal).toMatchObject({
      code: 'unauthorized',
      message: expect.stringMatching(/key/),
    });
    expect(stuck).toEqual(['unauthorized']);
    expect(consumer.settled.map(({ settle }) => settle.outcome)).toEqual(['returned']);
  });

  it('waits for the retries and leases of others', async () => {
    const { stats, queue, runtime: running } = await start();
    let asked = 0;
    const answers = [{ leased: 1 }, { delayed: 2 }, { ready: 1 }, {}];
    queue.stats = async () => {
      stats.splice(0, 1, openJobs(answers[Math.min(asked, 3)]!));
      asked += 1;
      return { queues: stats } as never;
    };
    const summary = await running.untilEmpty();
    expect(asked).toBe(4);
    expect(summary.fatal).toBeNull();
  });

  it('sits out a broker that is away for a moment', async () => {
    const { queue, runtime: running } = await start();
    let asked = 0;
    queue.stats = async () => {
      asked += 1;
      if (asked === 1) throw new AiqError('UNREACHABLE', 'nobody answers');
      return { queues: [] };
    };
    await running.untilEmpty();
    expect(asked).toBe(2);
  });

  it('passes on what will not go away', async () => {
    const { queue, runtime: running } = await start();
    queue.stats = async () => {
      throw new AiqError('UNAUTHORIZED', 'bad token');
    };
    await expect(running.untilEmpty()).rejects.toThrow('bad token');
  });
});

describe('limits', () => {
  it('keep an agent within its concurrency, and its queue apart from the others', async () => {
    const limited = agentOf({ name: 'limited', limits: { concurrency: 1 } });
    const { consumers } = await start({ ...slow, agents: [agentOf(), limited] });
    const [free, bound] = ['echo', 'limited'].map((name) =>
      consumers.find((one) => one.options.queues.includes(name)),
    );
    expect([free?.credits.at(-1), bound?.credits.at(-1)]).toEqual([4, 1]);
    const job = { agent: 'limited', queue: 'limited' };
    bound!.options.onDelivery(leaseOf({ job: { ...job, id: 'a' } }));
    bound!.options.onDelivery(leaseOf({ job: { ...job, id: 'b' } }));
    await calling(1);
    await until(() => free!.credits.at(-1) === 2);
    expect(endpoint.calls()).toBe(1);
  });

  it('of a provider stop deliveries for the time that it asks for, and no longer', async () => {
    const throttling = { modelFlag: 'aiq-offline?error=429:1&retryAfter=1' };
    const { deliver, consumer, settledCount, reports } = await start(throttling);
    deliver(leaseOf());
    await settledCount(1);
    await until(() => reports.length === 1);
    expect(consumer.settled[0]?.settle).toMatchObject({ outcome: 'throttled' });
    expect(consumer.settled[0]?.settle.delayMs).toBeGreaterThanOrEqual(1000);
    await until(() => consumer.credits.at(-1) === 0);
    await until(() => consumer.credits.at(-1) === 4);
  });

  it('of the process must make sense', async () => {
    await expect(start({ concurrency: 0 })).rejects.toThrow(/concurrency must be/);
    await expect(start({ agents: [] })).rejects.toThrow(/no agent that can run/);
  });
});
