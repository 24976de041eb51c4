/**
 * An error is not damage: where the log cannot be read, or a new file of it not be made, nothing is
 * charged to a job, the broker says so, and goes on by itself when the system does.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { errorCodes, type Message } from '../../../../core/protocol/index.ts';
import { type DiskOperation, MemoryDisk } from '../../../support/log/memory-disk.ts';
import { patienceMs } from '../../../support/patience.ts';
import { checkedJob, idOf } from '../state-machine/driver.ts';
import { ack, jobs, start } from './engine-driver.ts';

type Client = Awaited<ReturnType<typeof start>>;

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > end) expect.fail(`waited for ${what} in vain`);
    await delay(5);
  }
}

/** From now on these operations on files of these names fail. */
function fail(disk: MemoryDisk, code: string, operations: readonly DiskOperation[], end = '.log') {
  let count = 0;
  disk.before = (operation, path) => {
    if (!operations.includes(operation) || !path.endsWith(end)) return;
    count += 1;
    throw Object.assign(new Error(`${code}: simulated`), { code, syscall: operation });
  };
  return () => count;
}

/** A broker that was restarted, so that nothing of its jobs is in memory, a batch each. */
async function restartedWith(count: number, body = '"body"'): Promise<[MemoryDisk, Client]> {
  const disk = new MemoryDisk();
  const before = await start(disk);
  for (let id = 1; id <= count; id++) await before.answer(before.enqueue(jobs(id, 1, body)));
  await before.engine.close();
  return [disk, await start(disk)];
}

async function listed(client: Client): Promise<Message<'ListOk'>['jobs']> {
  const asked = client.request('List', { queue: null, state: null, before: 0, limit: 1000 });
  return ((await client.answer(asked)) as Message<'ListOk'>).jobs;
}

const readErrors = ['EMFILE', 'ENFILE', 'EIO', 'ENOMEM', 'EACCES'];

test.each(readErrors)(
  'a log that cannot be read for %s costs no job anything: all are delivered when it can',
  async (code) => {
    const [disk, client] = await restartedWith(30);
    const failed = fail(disk, code, ['open', 'openForReading', 'read', 'readFile']);
    client.request('Subscribe', { queues: ['q'], credit: 20 });
    await until('several tries', () => failed() >= 3);
    expect(client.engine.problems.texts.join()).toContain(`${code}: simulated`);
    expect(client.notices.filter((text) => text.includes('the log cannot be read')).length).toBe(1);
    disk.before = () => undefined;
    await until('20 deliveries', async () => (await client.delivered(0)).length === 20);
    for (const job of await listed(client)) {
      expect([job.state, job.attempts, job.crashes, job.returns].join()).toMatch(
        /^(leased|ready),0,0,0$/,
      );
    }
    expect(client.engine.problems.texts).toEqual([]);
    expect(client.failures).toEqual([]);
  },
  120_000,
);

test('while the log cannot be read jobs are tried a few at a time, with growing pauses', async () => {
  const [disk, client] = await restartedWith(60);
  const failed = fail(disk, 'EMFILE', ['openForReading']);
  client.request('Subscribe', { queues: ['q'], credit: 50 });
  await until('the first tries', () => failed() >= 2);
  const before = client.engine.log.endOffset;
  await delay(1000);
  // A handful of tries at most, of one job each: a record for the grant and one for its end.
  expect(client.engine.log.endOffset - before).toBeLessThanOrEqual(2 * 5);
});

test('a request that cannot be answered for a read that failed is told so, and works later', async () => {
  const [disk, client] = await restartedWith(1);
  fail(disk, 'EIO', ['openForReading', 'read']);
  const inspect = { idPrefix: idOf(1), withJob: true };
  const refused = await client.answer(client.request('Inspect', inspect));
  expect(refused).toMatchObject({ code: errorCodes.LOG_UNREAD.number });
  const list = { queue: null, state: null, before: 0, limit: 10 };
  expect(await client.answer(client.request('List', list))).toMatchObject({
    code: errorCodes.LOG_UNREAD.number,
  });
  client.request('Cancel', { ids: [idOf(1)] });
  expect(await client.answer(client.request('Wait', { id: idOf(1) }))).toMatchObject({
    code: errorCodes.LOG_UNREAD.number,
  });
  disk.before = () => undefined;
  expect(await client.answer(client.request('Inspect', inspect))).toMatchObject({
    jobs: [{ info: { id: idOf(1) } }],
  });
});

test('damage that concerns many jobs at once is told once, and ends them all in the end', async () => {
  const disk = new MemoryDisk();
  const before = await start(disk, { segmentBytesMax: 4_000_000 });
  await before.answer(before.enqueue(jobs(1, 40, '"body"')));
  await before.engine.close();
  const client = await start(disk, { segmentBytesMax: 4_000_000 });
  const bytes = disk.get('/log/0000000001.log');
  bytes[bytes.indexOf('"body"')] = 0x21;
  client.request('Subscribe', { queues: ['q'], credit: 40 });
  const dead = async () => (await listed(client)).filter(({ state }) => state === 'dead').length;
  await until('all', async () => (await dead()) === 40);
  expect(client.notices.filter((text) => text.includes('cannot be read'))).toHaveLength(1);
});

/** Enqueues and settles until old segments are worth compacting. */
async function withDeadSegments(client: Client): Promise<void> {
  client.request('Subscribe', { queues: ['q'], credit: 20 });
  for (let id = 100; id < 120; id++) {
    const seen = (await client.delivered(0)).length;
    await client.answer(client.enqueue(jobs(id, 1, JSON.stringify('x'.repeat(2000)))));
    const items = await client.delivered(seen + 1);
    await client.answer(client.request('Settle', { items: [ack(items[seen]!.token)] }));
  }
}

test('compaction that cannot read goes on by itself when it can', async () => {
  const disk = new MemoryDisk();
  const before = await start(disk);
  await before.answer(before.enqueue([checkedJob({ id: 1, queue: 'old', body: '"old"' })]));
  await before.engine.close();
  const client = await start(disk);
  const failed = fail(disk, 'EMFILE', ['openForReading', 'read'], '0000000001.log');
  await withDeadSegments(client);
  await until('reads for compaction', () => failed() > 0);
  await until('trouble', () => client.engine.problems.texts.join().includes('compaction'));
  expect(client.notices.join()).not.toContain('compaction stopped');
  disk.before = () => undefined;
  await until('the first segment dropped', () => !disk.files.has('/log/0000000001.log'));
  expect(client.engine.problems.texts).toEqual([]);
});

/** Delivers the one job of queue `old` and hands it back. */
async function handBack(client: Client, errorCode: string, park: string | null): Promise<void> {
  const seen = (await client.delivered(0)).length;
  client.request('Subscribe', { queues: ['old'], credit: 1 });
  const { token } = (await client.delivered(seen + 1))[seen]!;
  client.request('Subscribe', { queues: ['old'], credit: 0 });
  const item = { ...ack(token), outcome: 'throttled' as const, errorCode, park };
  await client.answer(client.request('Settle', { items: [item] }));
}

test('compaction keeps the end of a lease that it cannot read just then', async () => {
  const disk = new MemoryDisk();
  const before = await start(disk);
  const fillSegment = () => before.answer(before.enqueue(jobs(100 * nextFill++, 8, body)));
  const body = JSON.stringify('x'.repeat(2000));
  let nextFill = 1;
  await before.answer(before.enqueue([checkedJob({ id: 1, queue: 'old', body: '"old"' })]));
  await fillSegment();
  await handBack(before, 'first', null);
  await fillSegment();
  await handBack(before, 'second', 'later');
  await fillSegment();
  await before.engine.close();
  const client = await start(disk);
  // Only the first end lies there: what compaction reads of the job before can be read.
  fail(disk, 'EIO', ['openForReading', 'read'], '0000000003.log');
  client.request('Purge', { queue: 'q' });
  const waits = () => client.engine.problems.texts.join().includes('compaction waits');
  await until('compaction', () => waits() || !disk.files.has('/log/0000000001.log'));
  disk.before = () => undefined;
  await until('all three segments dropped', () => !disk.files.has('/log/0000000003.log'));
  const asked = client.request('Inspect', { idPrefix: idOf(1), withJob: false });
  const { jobs: found } = (await client.answer(asked)) as Message<'InspectOk'>;
  expect(found[0]?.history.map(({ errorCode }) => errorCode)).toEqual(['second', 'first']);
});

test.each(['EMFILE', 'ENOSPC', 'EACCES', 'EDQUOT', 'EIO'])(
  'a next segment that cannot be made for %s stops what is new, nothing else, until it can',
  async (code) => {
    const disk = new MemoryDisk();
    const client = await start(disk);
    await client.answer(client.enqueue(jobs(1, 4, JSON.stringify('z'.repeat(3000)))));
    client.request('Subscribe', { queues: ['q'], credit: 2 });
    const items = await client.delivered(2);
    fail(disk, code, ['create'], '.log.tmp');
    // What fills the segment was taken when nobody knew yet.
    const full = client.enqueue(jobs(50, 8, JSON.stringify('z'.repeat(2000))));
    await client.answer(full);
    await until('trouble', () => client.engine.reserve.isFull);
    const refused = (await client.answer(client.enqueue(jobs(90, 1)))) as Message<'EnqueueOk'>;
    expect(refused.items[0]).toMatchObject({ code: errorCodes.DISK_FULL.number });
    expect(refused.items[0]?.message).toContain('no new segment of the log can be made');
    for (const { token } of items) {
      await client.answer(client.request('Settle', { items: [ack(token)] }));
    }
    expect((await client.delivered(0)).length, 'nothing is delivered meanwhile').toBe(2);
    expect(client.engine.problems.texts.join()).toContain(code);
    expect(client.engine.log.segments.length).toBe(1);
    disk.before = () => undefined;
    await until('the next segment', () => client.engine.log.segments.length === 2);
    const taken = (await client.answer(client.enqueue(jobs(91, 1)))) as Message<'EnqueueOk'>;
    expect(taken.items[0]).toMatchObject({ outcome: 'created' });
    expect((await client.delivered(4)).length).toBeGreaterThanOrEqual(4);
    expect([client.engine.problems.texts, client.failures]).toEqual([[], []]);
    await client.engine.close();
    const again = await start(disk.afterPowerCut());
    expect((await listed(again)).length).toBe(13);
  },
  120_000,
);

test.each(['write', 'datasync'] as const)(
  'a %s of the next segment that fails ends the broker: it is never tried again',
  async (operation) => {
    const disk = new MemoryDisk();
    const client = await start(disk);
    fail(disk, 'EIO', [operation], '.log.tmp');
    client.enqueue(jobs(1, 12, JSON.stringify('z'.repeat(2000))));
    await until('the end', () => client.failures.length === 1);
    expect(client.failures[0]?.message).toContain('EIO');
  },
);

test('a disk without room for more files stops what is new, and says so', async () => {
  const disk = new MemoryDisk();
  const client = await start(disk);
  disk.freeFiles = 5;
  await until('full mode', () => client.engine.reserve.isFull);
  const refused = (await client.answer(client.enqueue(jobs(1, 1)))) as Message<'EnqueueOk'>;
  expect(refused.items[0]?.message).toContain('5 more files');
  disk.freeFiles = 100;
  await until('its end', () => !client.engine.reserve.isFull);
});
