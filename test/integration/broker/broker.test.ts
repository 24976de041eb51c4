/** The whole broker on a real folder: what it promises over stops, kills, failures and many clients. */

import { once } from 'node:events';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FolderLockedError } from '../../../core/broker/index.ts';
import { errorCodes } from '../../../core/protocol/index.ts';
import { type Asker, idOf, jobBytes, Place, range, settlement } from './broker-peer.ts';

let place: Place;

beforeEach(() => {
  place = new Place();
});

afterEach(async () => {
  await place.remove();
});

/** Ids of the jobs whose enqueue was answered `created`, taken off what the peer received. */
function createdIds({ peer }: Asker): string[] {
  return peer.received.flatMap((message) =>
    message.name === 'EnqueueOk'
      ? message.fields.items.filter((item) => item.outcome === 'created').map((item) => item.id)
      : [],
  );
}

/** Codes of the jobs and requests that were answered with a refusal. */
function refusals({ peer }: Asker): number[] {
  return peer.received.flatMap((message) => {
    if (message.name === 'Error') return [message.fields.code];
    if (message.name !== 'EnqueueOk') return [];
    return message.fields.items
      .filter(({ outcome }) => outcome !== 'created')
      .map((item) => item.code);
  });
}

/** Ids of the jobs whose settle was answered: the answers come in the order of the questions. */
function ackedIds({ peer }: Asker, asked: readonly string[]): string[] {
  const codes = peer.received.flatMap((message) =>
    message.name === 'SettleOk' ? message.fields.items.map((item) => item.code) : [],
  );
  expect(codes.every((code) => code === 0)).toBe(true);
  return asked.slice(0, codes.length);
}

describe('restart', () => {
  test('every job, counter, text and pause is there after a stop, to the last field', async () => {
    const first = await place.start();
    const asker = await place.asker(1);
    expect(await asker.enqueue(range(20))).toEqual(range(20).map(() => 'created'));
    await asker.enqueue([21], 'paused');
    await asker.subscribe(6);
    const tokens = (await asker.deliveries(6)).map((delivery) => delivery.token);
    await asker.subscribe(0);
    expect(await asker.settle(tokens.slice(0, 2))).toEqual([0, 0]);
    expect(await asker.settle(tokens.slice(2, 3), 'final')).toEqual([0]);
    expect(await asker.settle(tokens.slice(3, 4), 'retry')).toEqual([0]);
    await asker.ask('Cancel', { ids: [idOf(10)] }, 'CancelOk');
    await asker.ask('Pause', { queue: 'paused' }, 'Ok');
    const before = await asker.list();
    await first.stop();
    expect(await first.closed).toEqual({ reason: 'stopped' });

    const second = await place.start();
    expect(second.recovery).toMatchObject({ clean: true, tornTail: null });
    const next = await place.asker(2);
    expect(await next.list()).toEqual(before);
    const { queues } = await next.ask('Stats', { queues: ['paused'] }, 'StatsOk');
    expect(queues).toMatchObject([{ paused: true, ready: 1 }]);
    expect(await next.enqueue([1, 22])).toEqual(['exists', 'created']);
  });

  test('a session resumes its leases at the next broker and settles them; older tokens stay fenced', async () => {
    const first = await place.start();
    const asker = await place.asker(1);
    await asker.enqueue(range(5));
    await asker.subscribe(5);
    const tokens = (await asker.deliveries(5)).map((delivery) => delivery.token);
    await asker.settle(tokens.slice(0, 1), 'returned');
    const [again] = await asker.deliveries(1);
    await first.stop();

    await place.start();
    const back = await place.asker(1);
    const held = [...tokens.slice(1), again!.token];
    const stale = errorCodes.STALE_LEASE.number;
    expect(await back.resume([...held, tokens[0]!])).toEqual([0, 0, 0, 0, 0, stale]);
    expect(await back.settle([tokens[0]!, ...held])).toEqual([stale, 0, 0, 0, 0, 0]);
    expect((await back.list()).every((job) => job.state === 'done')).toBe(true);
  });

  test('clients that connect while the threads of the broker still start are served, not in its way', async () => {
    const impatient = range(5).map((session) => place.patientAsker(session));
    const tcp = { host: '127.0.0.1', port: 0 };
    const broker = await place.start({ tcp, ioThreads: 8 });
    for (const asker of await Promise.all(impatient)) await asker.ask('Ping', {}, 'Ok');
    expect(existsSync(join(place.dir, 'endpoints.json'))).toBe(true);
    await broker.stop();
    expect(await broker.closed).toEqual({ reason: 'stopped' });
  });
});

describe('one broker for a folder', () => {
  test('a second one is refused, here and in another process, and changes nothing', async () => {
    const first = await place.start();
    await expect(place.start()).rejects.toThrow(FolderLockedError);
    const [status] = (await once(place.spawn(), 'exit')) as [number];
    expect(status).toBe(75);
    const asker = await place.asker(1);
    expect(await asker.enqueue([1])).toEqual(['created']);
    await first.stop();
    await place.start();
  });
});

describe('a stop', () => {
  test('with requests in flight answers exactly what is in the log', async () => {
    const broker = await place.start();
    const asker = await place.asker(1);
    for (const number of range(3000)) {
      asker.tell('Enqueue', { atomic: false, jobs: [jobBytes(number)] });
    }
    await asker.peer.answer(2);
    await broker.stop();
    await asker.peer.closed;
    const answered = [idOf(1), ...createdIds(asker)];
    const found = await place.recovered();
    expect([...found.keys()].toSorted()).toEqual(answered.toSorted());
  });

  test('that a client asks for is answered first', async () => {
    const broker = await place.start();
    const asker = await place.asker(1);
    await asker.ask('Shutdown', {}, 'Ok');
    expect(await broker.closed).toEqual({ reason: 'stopped' });
  });
});

describe('kill -9', () => {
  for (const seed of [1, 2, 3]) {
    test(`under pipelined enqueues and settles loses nothing that was answered (seed ${seed})`, async () => {
      const child = place.spawn();
      const asker = await place.patientAsker(1);
      await asker.subscribe(200);
      const settled: string[] = [];
      const killAfter = 150 + ((seed * 7919) % 1500);
      for (let number = 1; child.signalCode === null && !asker.peer.socket.closed; ) {
        for (const last = number + 20; number < last; number++) {
          asker.tell('Enqueue', { atomic: false, jobs: [jobBytes(number)] });
        }
        for (const message of asker.peer.received.filter(({ name }) => name === 'Deliver')) {
          if (message.name !== 'Deliver') continue;
          const tokens = message.fields.items.map((item) => item.token);
          asker.tell('Settle', { items: tokens.map((token) => settlement(token)) });
          settled.push(...tokens.map((token) => token.id));
          asker.peer.received.splice(asker.peer.received.indexOf(message), 1);
        }
        await new Promise(setImmediate);
        if (createdIds(asker).length >= killAfter && !child.killed) child.kill('SIGKILL');
      }
      const found = await place.recovered();
      const created = createdIds(asker);
      const acked = ackedIds(asker, settled);
      expect(created.length).toBeGreaterThanOrEqual(killAfter);
      expect(created.filter((id) => !found.has(id))).toEqual([]);
      expect(acked.filter((id) => found.get(id)?.state !== 'done')).toEqual([]);
    });
  }
});

describe('many clients', () => {
  test('1,000 sessions get one job each when each wants one, and all are done', async () => {
    await place.start();
    const sessions: Asker[] = [];
    for (const wave of range(10)) {
      const opening = range(100).map((number) => place.asker(wave * 1000 + number));
      sessions.push(...(await Promise.all(opening)));
    }
    await Promise.all(sessions.map((session) => session.subscribe(1)));
    const producer = await place.asker(1);
    await producer.enqueue(range(1000));
    const taken = await Promise.all(sessions.map((session) => session.deliveries(1)));
    const ids = taken.map(([delivery]) => delivery?.token.id);
    expect(new Set(ids).size).toBe(1000);
    await Promise.all(
      sessions.map(async (session, index) => {
        expect(await session.settle(taken[index]!.map(({ token }) => token))).toEqual([0]);
      }),
    );
    const { queues, sessions: known } = await producer.ask('Stats', { queues: ['q'] }, 'StatsOk');
    expect(queues).toMatchObject([{ ready: 0, leased: 0, done: 1000, consumers: 1000 }]);
    expect(known).toBe(1001);
  });

  test('20,000 jobs reach two consumers, each job once, and are done after a restart', async () => {
    const broker = await place.start();
    const producer = await place.asker(1);
    const seen: string[] = [];
    const allSeen = Promise.withResolvers<never[]>();
    const work = async (session: number): Promise<void> => {
      const consumer = await place.asker(session);
      await consumer.subscribe(500);
      for (;;) {
        const taken = await Promise.race([consumer.deliveries(1), allSeen.promise]);
        if (taken.length === 0) return;
        seen.push(...taken.map(({ token }) => token.id));
        const codes = await consumer.settle(taken.map(({ token }) => token));
        expect(codes.every((code) => code === 0)).toBe(true);
        if (seen.length >= 20_000) allSeen.resolve([]);
      }
    };
    const working = Promise.all([work(2), work(3)]);
    for (const batch of range(20)) {
      await producer.enqueue(range(1000).map((number) => batch * 1000 + number));
    }
    await working;
    expect([seen.length, new Set(seen).size]).toEqual([20_000, 20_000]);
    await broker.stop();
    const states = [...(await place.recovered()).values()].map((job) => job.state);
    expect(states).toEqual(range(20_000).map(() => 'done'));
  });
});

describe('idle exit', () => {
  /** Enough for a client of a busy machine to connect. */
  const idleExitMs = 1_500;

  test('does not come while a client is connected, and comes when it left', async () => {
    const broker = await place.start({ idleExitMs });
    const asker = await place.asker(1);
    await setTimeout(2 * idleExitMs);
    await asker.ask('Ping', {}, 'Ok');
    await asker.peer.close();
    expect(await broker.closed).toEqual({ reason: 'idle' });
    expect(existsSync(join(place.dir, 'endpoints.json'))).toBe(false);
  });

  test('does not come while a vanished consumer may come back for its leases', async () => {
    const broker = await place.start({ idleExitMs, leaseMs: 400 });
    const asker = await place.asker(1);
    await asker.enqueue([1]);
    await asker.subscribe(1);
    await asker.deliveries(1);
    await asker.peer.close();
    expect(await broker.closed).toEqual({ reason: 'idle' });
    const job = (await place.recovered()).get(idOf(1));
    expect(job).toMatchObject({ state: 'ready', crashes: 1 });
  });
});

describe('a log that fails', () => {
  test('ends the broker: what could not be made durable is not taken, and what was is kept', async () => {
    // Every commit starts a segment, so the next one needs the folder that is gone.
    const broker = await place.start({ segmentBytesMax: 1 });
    const asker = await place.asker(1);
    await asker.enqueue([1, 2]);
    const log = join(place.dir, 'log');
    renameSync(log, `${log}-away`);
    asker.tell('Enqueue', { atomic: false, jobs: [jobBytes(3)] });
    asker.tell('Ping', {});
    const end = await broker.closed;
    expect(end).toMatchObject({ reason: 'failed', error: { name: 'FolderLostError' } });
    await asker.peer.closed;
    // The third job is taken by a segment that was already begun, refused for want of one, or not answered.
    const refused = refusals(asker);
    expect(refused.filter((code) => code !== errorCodes.DISK_FULL.number)).toEqual([]);
    renameSync(`${log}-away`, log);
    const found = [...(await place.recovered()).keys()];
    const answered = [idOf(1), idOf(2), ...createdIds(asker)];
    expect(answered.filter((id) => !found.includes(id))).toEqual([]);
    const mayBe = refused.length > 0 ? answered : [...answered, idOf(3)];
    expect(found.filter((id) => !mayBe.includes(id))).toEqual([]);
  });
});
