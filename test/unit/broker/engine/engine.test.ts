/** The engine on a disk in memory: what is revealed when, what cannot be read, space and compaction. */

import { setImmediate as nextRound } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { LogDamagedError, type Scheduler } from '../../../../core/broker/log/contract.ts';
import { errorCodes, type Message } from '../../../../core/protocol/index.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';
import { patienceMs } from '../../../support/patience.ts';
import { checkedJob, idOf } from '../state-machine/driver.ts';
import { ack, found, jobs, start } from './engine-driver.ts';

describe('what the log has to be read for', () => {
  test('keeps its place in line: nothing that came later overtakes it', async () => {
    const disk = new MemoryDisk();
    const before = await start(disk);
    await before.answer(before.enqueue(jobs(1, 2)));
    await before.engine.close();
    const client = await start(disk);
    const gate = Promise.withResolvers<void>();
    let isReading = false;
    disk.before = (operation) => {
      if (operation !== 'read') return undefined;
      isReading = true;
      return gate.promise;
    };
    const subscribed = client.request('Subscribe', { queues: ['q'], credit: 2 });
    await client.answer(subscribed);
    const pinged = client.request('Ping', {});
    for (let round = 0; round < 50; round++) await nextRound();
    expect(isReading).toBe(true);
    expect(client.sent.some(({ correlationId }) => correlationId === pinged)).toBe(false);
    gate.resolve();
    expect(await client.delivered(2)).toHaveLength(2);
    await client.answer(pinged);
    const names = client.sent.map(({ name }) => name);
    expect(names.lastIndexOf('Deliver')).toBeLessThan(names.lastIndexOf('Ok'));
  });

  test('a job whose bytes are damaged is dead with that cause, and the others are delivered', async () => {
    const disk = new MemoryDisk();
    const before = await start(disk);
    // A batch each, because a damaged batch is damaged as a whole.
    for (const id of [1, 2, 3]) await before.answer(before.enqueue(jobs(id, 1, '"body"')));
    await before.engine.close();
    const client = await start(disk);
    const [path = ''] = [...disk.files.keys()].filter((name) => name.endsWith('0000000001.log'));
    const bytes = disk.get(path);
    const second = bytes.indexOf('"body"', bytes.indexOf('"body"') + 1);
    bytes[second] = 0x21;
    client.request('Subscribe', { queues: ['q'], credit: 3 });
    const items = await client.delivered(2);
    expect(items.map(({ token }) => token.id)).toEqual([idOf(1), idOf(3)]);
    const asked = client.request('List', { queue: null, state: 'dead', before: 0, limit: 10 });
    const { jobs: dead } = (await client.answer(asked)) as Message<'ListOk'>;
    expect(dead).toMatchObject([{ id: idOf(2), state: 'dead', errorCode: 'damaged' }]);
    expect(client.notices.join()).toContain('cannot be read');
    expect(client.failures).toEqual([]);
  });
});

test('a log that is refused leaves no timer behind', async () => {
  const disk = new MemoryDisk();
  const before = await start(disk);
  for (const id of [1, 2, 3]) await before.answer(before.enqueue(jobs(id, 1)));
  await before.engine.close();
  const [path = ''] = [...disk.files.keys()].filter((name) => name.endsWith('0000000001.log'));
  disk.get(path)[200] = 0x21;
  let pending = 0;
  const scheduler: Scheduler = {
    afterThisRound: () => nextRound(),
    after() {
      pending++;
      return () => {
        pending--;
      };
    },
  };
  await expect(start(disk, { scheduler })).rejects.toThrow(LogDamagedError);
  expect(pending).toBe(0);
});

describe('space', () => {
  test('jobs that are done free theirs: the log stays small, and one old job stays in it', async () => {
    const disk = new MemoryDisk();
    const client = await start(disk);
    const old = checkedJob({ id: 1, queue: 'old', body: '"old"' });
    await client.answer(client.enqueue([old]));
    client.request('Subscribe', { queues: ['q'], credit: 50 });
    let done = 0;
    for (let turn = 0; turn < 60; turn++) {
      await client.answer(
        client.enqueue(jobs(100 + turn * 20, 20, JSON.stringify('x'.repeat(3000)))),
      );
      const items = (await client.delivered(done + 20)).slice(done);
      done += items.length;
      await client.answer(
        client.request('Settle', { items: items.map(({ token }) => ack(token)) }),
      );
    }
    expect(client.engine.log.firstOffset).toBeGreaterThan(1);
    expect(client.failures).toEqual([]);
    await client.engine.close();
    const next = await start(disk);
    expect(next.engine.jobCount).toBe(1201);
    next.request('Subscribe', { queues: ['old'], credit: 1 });
    const [kept] = await next.delivered(1);
    expect(Buffer.from(kept?.job ?? []).equals(old.ok ? old.bytes : new Uint8Array(0))).toBe(true);
    const asked = next.request('List', { queue: 'q', state: 'done', before: 0, limit: 1000 });
    const { jobs: rows } = (await next.answer(asked)) as Message<'ListOk'>;
    expect(rows).toHaveLength(1000);
    expect(rows[0]).toMatchObject({
      agent: 'agent',
      source: 'source',
      bodyBytes: 3002,
      deliveries: 1,
    });
  });

  test('compaction ends at a record that cannot be read, though others go on appending', async () => {
    const disk = new MemoryDisk();
    const before = await start(disk);
    await before.answer(before.enqueue([checkedJob({ id: 1, queue: 'old', body: '"old"' })]));
    await before.answer(before.enqueue(jobs(2, 1, JSON.stringify('x'.repeat(20_000)))));
    // The segment is sealed now; once it has its summary a start does not read it.
    const isSummed = () => [...disk.files.keys()].some((name) => name.endsWith('1.summary'));
    await vi.waitFor(() => expect(isSummed()).toBe(true), { timeout: patienceMs });
    await before.engine.close();
    const client = await start(disk);
    const [path = ''] = [...disk.files.keys()].filter((name) => name.endsWith('0000000001.log'));
    const bytes = disk.get(path);
    bytes[bytes.indexOf('"old"')] = 0x21;
    client.request('Subscribe', { queues: ['q'], credit: 50 });
    let done = 0;
    for (let turn = 0; turn < 60; turn++) {
      client.enqueue(jobs(100 + turn * 20, 20, JSON.stringify('x'.repeat(3000))));
      const items = (await client.delivered(done + 20)).slice(done);
      done += items.length;
      client.request('Settle', { items: items.map(({ token }) => ack(token)) });
    }
    await found([], () => false).catch(() => undefined);
    expect(client.notices.filter((text) => text.startsWith('compaction stopped'))).toHaveLength(1);
    expect(client.engine.log.firstOffset).toBe(1);
    expect(client.failures).toEqual([]);
  });

  test('a disk that fails while old segments are dropped stops the engine, and nothing else', async () => {
    const disk = new MemoryDisk();
    const client = await start(disk);
    client.request('Subscribe', { queues: ['q'], credit: 50 });
    disk.before = (operation) => {
      if (operation === 'remove') throw Object.assign(new Error('EIO: remove'), { code: 'EIO' });
    };
    let done = 0;
    for (let turn = 0; turn < 60 && client.failures.length === 0; turn++) {
      const body = JSON.stringify('x'.repeat(3000));
      client.enqueue(jobs(100 + turn * 20, 20, body));
      const items = (await client.delivered(done + 20)).slice(done);
      done += items.length;
      client.request('Settle', { items: items.map(({ token }) => ack(token)) });
      for (let round = 0; round < 20; round++) await nextRound();
    }
    expect(client.failures.map(({ message }) => message)).toEqual(['EIO: remove']);
  });

  test('a full disk takes and hands out nothing, settles go on, and it ends by itself', async () => {
    const disk = new MemoryDisk();
    disk.capacityBytes = 8 * 1024 * 1024;
    const client = await start(disk, { segmentBytesMax: 256 * 1024 });
    client.request('Subscribe', { queues: ['q'], credit: 5 });
    await client.answer(client.enqueue(jobs(1, 20)));
    const items = await client.delivered(5);
    // Somebody else fills the disk.
    disk.put('/filler', Buffer.alloc(disk.capacityBytes - disk.usedBytes - 300 * 1024));
    const refusedLater = async (id: number): Promise<Message<'EnqueueOk'>['items'][number]> => {
      const answer = (await client.answer(client.enqueue(jobs(id, 1)))) as Message<'EnqueueOk'>;
      const [item] = answer.items;
      if (item === undefined) throw new Error('no answer');
      return item;
    };
    let refused = await refusedLater(1000);
    for (let id = 1001; refused.outcome === 'created' && id < 1400; id++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      refused = await refusedLater(id);
    }
    expect(refused).toMatchObject({ outcome: 'refused', code: errorCodes.DISK_FULL.number });
    const before = client.sent.filter(({ name }) => name === 'Deliver').length;
    const settle = async (some: typeof items): Promise<void> => {
      const settled = client.request('Settle', { items: some.map(({ token }) => ack(token)) });
      const answer = (await client.answer(settled)) as Message<'SettleOk'>;
      expect(answer.items.map(({ state }) => state)).toEqual(some.map(() => 'done'));
    };
    await settle(items.slice(1));
    expect(client.sent.filter(({ name }) => name === 'Deliver')).toHaveLength(before);
    // Paid answers are taken as long as there is room for them, and no longer.
    let full = 0;
    for (let call = 0; call < 40; call++) {
      const put = client.request('JournalPut', {
        token: { id: items[0]?.token.id ?? '', epoch: 1, delivery: 1 },
        callHash: new Uint8Array(32).fill(call),
        value: { inline: new Uint8Array(60_000), blob: null },
        charge: null,
      });
      const { code } = (await client.answer(put)) as Message<'Error'>;
      if (code === errorCodes.DISK_FULL.number) full++;
    }
    expect(full).toBeGreaterThan(0);
    expect(full).toBeLessThan(40);
    await settle(items.slice(0, 1));
    expect(client.failures).toEqual([]);
    disk.files.delete('/filler');
    const more = await found(client.sent.slice(), () => false).catch(() => null);
    expect(more).toBeNull();
    for (let wait = 0; (await client.delivered(10)).length < 10 && wait < 300; wait++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect((await client.delivered(10)).length).toBe(10);
    expect((await refusedLater(5000)).outcome).toBe('created');
    expect(client.failures).toEqual([]);
  });
});
