/** What operators do through the port: pause, resume, purge, watch and list; the real broker behind it. */

import { expect, test } from 'vitest';
import { readEndpoints, stopBroker } from '../../../core/host/index.ts';
import { type Job, type JobInfo, type JobQueue, newJob } from '../../../core/job-queue/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import { brokerFolder } from '../../support/servers/broker-folder.ts';
import { codeOf } from '../../support/servers/fake-broker.ts';

const folder = brokerFolder();

function jobs(count: number, queue = 'a', delayMs = 0): Job[] {
  const make = (index: number): Job =>
    newJob({ agent: 'a', queue, agentDigest: 'ab'.repeat(32), input: { queue, index }, delayMs });
  return Array.from({ length: count }, (_, index) => make(index));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function take(queue: JobQueue): Promise<string[]> {
  const taken: string[] = [];
  const consumer = await queue.consume({
    queues: ['a'],
    credit: 10,
    onDelivery: ({ job }) => taken.push(job.id),
    onLeaseLost: () => undefined,
  });
  closeAfterTest(consumer);
  return taken;
}

test('a paused queue delivers nothing, also after a restart of the broker, until it is resumed', async () => {
  const queue = await folder.open();
  const [job] = jobs(1) as [Job];
  await queue.pause('a');
  await queue.pause('a');
  await queue.enqueue([job]);
  await stopBroker(folder.dir);
  const [info] = (await queue.stats(['a'])).queues;
  expect(info).toMatchObject({ queue: 'a', paused: true, ready: 1, leased: 0 });
  const taken = await take(queue);
  // An answer behind the subscription: by then the broker has decided what to deliver.
  await queue.stats();
  expect(taken).toEqual([]);
  await queue.resume('a');
  await until(() => taken.length === 1);
  expect(taken).toEqual([job.id]);
});

test('purging a queue cancels what waits in it, over as many pages as it takes, and nothing else', async () => {
  const queue = await folder.open();
  const waiting = jobs(1500);
  const delayed = jobs(2, 'a', 60_000).map((job, index) => ({ ...job, id: other(index) }));
  const elsewhere = jobs(1, 'b');
  await queue.enqueue([...waiting, ...delayed, ...elsewhere]);
  expect(await queue.purge('a')).toBe(1502);
  expect(await queue.purge('a')).toBe(0);
  const { queues } = await queue.stats(['a', 'b']);
  expect(queues).toMatchObject([{ ready: 0, delayed: 0, cancelled: 1502 }, { ready: 1 }]);
});

/** Another id than the content's own. */
function other(index: number): string {
  const identity = { key: `delayed-${index}` };
  return newJob({ agent: 'a', queue: 'a', agentDigest: 'ab'.repeat(32), input: 0, identity }).id;
}

test('a list has as many rows as were asked for, although the broker pages more finely', async () => {
  const queue = await folder.open();
  await queue.enqueue(jobs(1205));
  const all = await queue.list({ limit: 5000 });
  expect(new Set(all.jobs.map(({ id }) => id)).size).toBe(1205);
  expect(all.next).toBeNull();
  const some = await queue.list({ limit: 1100 });
  expect(some.jobs).toHaveLength(1100);
  const rest = await queue.list({ limit: 1100, before: some.next ?? 0 });
  expect(rest.jobs.map(({ id }) => id)).toEqual(all.jobs.slice(1100).map(({ id }) => id));
});

test('more ids than one request may name are cancelled, each with its own answer', async () => {
  const queue = await folder.open();
  const many = jobs(1001);
  await queue.enqueue(many);
  const answers = await queue.cancel([...many.map(({ id }) => id), other(0)]);
  expect(answers).toHaveLength(1002);
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1001);
  expect(answers.at(-1)).toMatchObject({ ok: false, code: 'NOT_FOUND' });
});

test('a watch tells every change of its queues, and a broker that was killed is a gap, not an end', async () => {
  const queue = await folder.open();
  const changes: Pick<JobInfo, 'id' | 'state'>[] = [];
  let gaps = 0;
  const ending = new AbortController();
  await queue.watch({
    queues: ['a'],
    onChange: ({ id, state }) => changes.push({ id, state }),
    onGap: () => gaps++,
    signal: ending.signal,
  });
  const [one, two, three] = jobs(3) as [Job, Job, Job];
  await queue.enqueue([...jobs(1, 'b'), one]);
  await until(() => changes.length === 1);
  const endpoints = await readEndpoints(folder.dir);
  process.kill(endpoints?.pid ?? 0, 'SIGKILL');
  await until(() => gaps === 1);
  await queue.enqueue([two]);
  await queue.cancel([two.id]);
  await until(() => changes.length === 3);
  expect(changes).toEqual([
    { id: one.id, state: 'ready' },
    { id: two.id, state: 'ready' },
    { id: two.id, state: 'cancelled' },
  ]);
  ending.abort();
  await queue.enqueue([three]);
  await queue.stats();
  expect(changes).toHaveLength(3);
});

test('a queue that was closed watches nothing, and its watches end with it', async () => {
  const queue = await folder.open();
  const ending = new AbortController();
  await queue.watch({ onChange: () => undefined, signal: ending.signal });
  await queue.close();
  expect(await codeOf(queue.watch({ onChange: () => undefined }))).toBe('CLOSED');
  const observer = await folder.open();
  expect((await observer.engineStats()).connections).toBe(1);
  ending.abort();
});

test('the holder of a cancelled job hears of it without asking', async () => {
  const queue = await folder.open();
  const lost: [string, string][] = [];
  const held = Promise.withResolvers<string>();
  const consumer = await queue.consume({
    queues: ['a'],
    credit: 1,
    onDelivery: ({ job }) => held.resolve(job.id),
    onLeaseLost: ({ job }, code) => lost.push([job.id, code]),
  });
  closeAfterTest(consumer);
  await queue.enqueue(jobs(1));
  const id = await held.promise;
  await queue.cancel([id]);
  await until(() => lost.length > 0);
  expect(lost).toEqual([[id, 'BAD_STATE']]);
});
