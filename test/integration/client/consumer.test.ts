/** The consumer against a broker that loses connections, leases and answers at chosen moments. */

import fs from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  type Consumer,
  type ConsumerOptions,
  type LeasedJob,
  openConsumer,
} from '../../../core/client/index.ts';
import { newJob } from '../../../core/job-queue/index.ts';
import {
  type Delivery,
  encodeJob,
  errorCodes,
  type Message,
} from '../../../core/protocol/index.ts';
import { acked } from '../../support/acked.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import {
  type Answer,
  allIsWell,
  codeOf,
  type FakeBroker,
  type FakeBrokerOptions,
  failure,
  type Received,
  startFakeBroker,
} from '../../support/servers/fake-broker.ts';

/** No job of these tests is large. */
const noBlobs = { request: () => Promise.reject(new Error('nothing is asked')) };

interface Rig {
  readonly broker: FakeBroker;
  readonly consumer: Consumer;
  readonly taken: LeasedJob[];
  readonly lost: [LeasedJob, string][];
  readonly notices: string[];
  readonly deliver: (...deliveries: Delivery[]) => Promise<void>;
}

async function rig(options: FakeBrokerOptions = {}, credit = 4): Promise<Rig> {
  const broker = await startFakeBroker(options);
  closeAfterTest(broker);
  const taken: LeasedJob[] = [];
  const lost: [LeasedJob, string][] = [];
  const notices: string[] = [];
  const consumer = await openConsumer({
    resolve: () => Promise.resolve({ unix: broker.socketPath }),
    clientName: 'test',
    queues: ['summarize'],
    credit,
    blobs: noBlobs,
    onDelivery: (lease) => taken.push(lease),
    onLeaseLost: (lease, code) => lost.push([lease, code]),
    onNotice: (text) => notices.push(text),
  });
  closeAfterTest(consumer);
  await broker.until(() => credits(broker).at(-1) === credit);
  const deliver = async (...items: Delivery[]): Promise<void> => {
    const before = taken.length;
    broker.push('Deliver', { items });
    while (taken.length < before + items.length) await new Promise(setImmediate);
  };
  return { broker, consumer, taken, lost, notices, deliver };
}

function received<N extends Received['name']>(broker: FakeBroker, name: N): Message<N>[] {
  return broker.received
    .filter((message) => message.name === name)
    .map((message) => message.fields as Message<N>);
}

function credits(broker: FakeBroker): number[] {
  return received(broker, 'Subscribe').map(({ credit }) => credit);
}

function delivery(index: number, number = 1): Delivery {
  const job = newJob({
    agent: 'summarize',
    queue: 'summarize',
    agentDigest: 'ab'.repeat(32),
    input: { index },
  });
  return {
    token: { id: job.id, epoch: 1, delivery: number },
    attempt: 1,
    crashes: 0,
    isolated: false,
    leaseMs: 30_000,
    enqueuedAtMs: 1,
    job: encodeJob(job, crc32),
  };
}

test('deliveries begin only after the caller has the consumer in hand', async () => {
  const { broker, taken, deliver } = await rig();
  expect(credits(broker)).toEqual([0, 4]);
  await deliver(delivery(1), delivery(2));
  expect(taken.map(({ attempt, token }) => [attempt, token.delivery])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  const inAMoment = performance.now();
  for (const { deadlineMs } of taken) {
    expect(deadlineMs).toBeGreaterThan(inAMoment);
    expect(deadlineMs).toBeLessThan(inAMoment + 30_000);
  }
});

test('settles of one turn share a frame and each gets its answer', async () => {
  const { broker, consumer, taken, deliver } = await rig();
  await deliver(delivery(1), delivery(2));
  const answers = await Promise.all(taken.map((lease) => consumer.settle(lease, acked)));
  expect(answers.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(received(broker, 'Settle').map(({ items }) => items.length)).toEqual([2]);
});

test('after a lost connection all leases are resumed, then the subscription', async () => {
  const { broker, consumer, taken, lost, deliver } = await rig();
  await deliver(delivery(1), delivery(2));
  consumer.setCredit(7);
  await broker.until(() => credits(broker).at(-1) === 7);
  const before = taken.map(({ deadlineMs }) => deadlineMs);
  broker.cut();
  await broker.until(() => credits(broker).length === 4);
  expect(broker.hellos[1]?.session).toBe(broker.hellos[0]?.session);
  const again = broker.received.filter(({ connection }) => connection === 2);
  expect(again.map(({ name }) => name)).toEqual(['Resume', 'Subscribe']);
  expect(received(broker, 'Resume')[0]?.tokens).toEqual(taken.map(({ token }) => token));
  expect(credits(broker)).toEqual([0, 4, 7, 7]);
  await consumer.renew([]);
  expect(lost).toEqual([]);
  taken.forEach(({ deadlineMs }, index) => expect(deadlineMs).toBeGreaterThan(before[index]!));
});

test('a lease that the broker does not resume is lost once, and not resumed again', async () => {
  const { broker, lost, taken, deliver } = await rig({
    answer: (message) => {
      if (message.name !== 'Resume') return allIsWell(message);
      const items = message.fields.tokens.map((token, index) => ({
        code: index === 0 ? errorCodes.STALE_LEASE.number : 0,
        state: 'ready' as const,
        message: token.id,
      }));
      return { name: 'ResumeOk', fields: { items } };
    },
  });
  await deliver(delivery(1), delivery(2), delivery(3));
  broker.cut();
  await broker.until(() => credits(broker).length === 3);
  expect(lost.map(([lease, code]) => [lease, code])).toEqual([[taken[0], 'STALE_LEASE']]);
  broker.cut();
  await broker.until(() => credits(broker).length === 4);
  expect(received(broker, 'Resume').map(({ tokens }) => tokens.length)).toEqual([3, 2]);
});

test('a consumer that holds nothing still tells the broker so, which may hold more for it', async () => {
  const { broker } = await rig();
  broker.cut();
  await broker.until(() => credits(broker).length === 3);
  expect(received(broker, 'Resume')).toEqual([{ tokens: [] }]);
});

test('a settle whose connection breaks is answered later, whatever Resume says of its lease', async () => {
  let settles = 0;
  const stale = { code: errorCodes.STALE_LEASE.number, state: 'done' as const, message: '' };
  const answer = (message: Received): Answer => {
    if (message.name === 'Settle' && settles++ === 0) return 'cut';
    if (message.name === 'Resume') return { name: 'ResumeOk', fields: { items: [stale] } };
    return allIsWell(message);
  };
  const { consumer, taken, lost, deliver } = await rig({ answer });
  await deliver(delivery(1));
  expect(await consumer.settle(taken[0]!, acked)).toMatchObject({ code: 0, state: 'done' });
  expect(settles).toBe(2);
  expect(lost).toEqual([]);
});

test('a lease whose time ran out while the broker was away is not resumed, unless its work is done', async () => {
  const { broker, consumer, taken, lost, deliver } = await rig({
    answer: (message) => {
      if (message.name === 'Settle' && message.connection === 1) return 'silence';
      return allIsWell(message);
    },
  });
  await deliver({ ...delivery(1), leaseMs: 1_000 }, { ...delivery(2), leaseMs: 1_000 });
  const settled = consumer.settle(taken[0]!, acked);
  await broker.until(() => received(broker, 'Settle').length === 1);
  while (performance.now() < taken[1]!.deadlineMs) await new Promise(setImmediate);
  broker.cut();
  expect((await settled).state).toBe('done');
  expect(received(broker, 'Resume')).toEqual([{ tokens: [taken[0]!.token] }]);
  expect(lost).toEqual([[taken[1], 'STALE_LEASE']]);
});

test('a renewal moves the deadline; a refused or cancelled lease is lost', async () => {
  const { consumer, taken, lost, deliver } = await rig({
    hello: { leaseMs: 60_000 },
    answer: (message) => {
      if (message.name !== 'Extend') return allIsWell(message);
      const items: Message<'ExtendOk'>['items'] = [
        { code: 0, directive: 'none' },
        { code: errorCodes.STALE_LEASE.number, directive: 'none' },
        { code: 0, directive: 'cancel' },
      ];
      return { name: 'ExtendOk', fields: { items } };
    },
  });
  await deliver(delivery(1), delivery(2), delivery(3));
  await consumer.renew(taken);
  expect(taken[0]?.deadlineMs).toBeGreaterThan(performance.now() + 30_000);
  expect(lost.map(([lease, code]) => [lease, code])).toEqual([
    [taken[1], 'STALE_LEASE'],
    [taken[2], 'BAD_STATE'],
  ]);
});

test('leases are renewed unasked, and one is given up at its deadline without an answer', async () => {
  let isSilent = false;
  const { broker, consumer, taken, lost, deliver } = await rig({
    hello: { leaseMs: 300 },
    answer: (message) => (message.name === 'Extend' && isSilent ? 'silence' : allIsWell(message)),
  });
  await deliver({ ...delivery(1), leaseMs: 300 });
  const { token } = taken[0]!;
  await broker.until(() => received(broker, 'Extend').length === 4);
  expect(received(broker, 'Extend')[0]).toEqual({ tokens: [token] });
  expect(lost).toEqual([]);
  isSilent = true;
  while (lost.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(performance.now()).toBeGreaterThan(taken[0]!.deadlineMs);
  expect(lost).toEqual([[taken[0], 'STALE_LEASE']]);
  expect(await consumer.settle(taken[0]!, acked)).toMatchObject({
    code: errorCodes.STALE_LEASE.number,
  });
  expect(received(broker, 'Settle')).toEqual([]);
});

test('a damaged delivery is handed back and reported, and the others are taken', async () => {
  const { broker, taken, notices } = await rig();
  const damaged = delivery(1);
  damaged.job[damaged.job.length - 2]! ^= 1;
  broker.push('Deliver', { items: [damaged, delivery(2)] });
  await broker.until(() => received(broker, 'Settle').length === 1);
  expect(received(broker, 'Settle')[0]?.items[0]).toMatchObject({
    token: damaged.token,
    outcome: 'returned',
    errorCode: 'checksum',
  });
  expect(notices[0]).toContain('damaged on the way');
  expect(taken).toHaveLength(1);
});

test('a newer delivery of a held job takes the place of the older lease', async () => {
  const { lost, taken, deliver } = await rig();
  await deliver(delivery(1));
  await deliver(delivery(1, 2));
  expect(lost).toEqual([[taken[0], 'STALE_LEASE']]);
  expect(taken.map(({ token }) => token.delivery)).toEqual([1, 2]);
});

test('a repeated delivery is taken once', async () => {
  const { broker, taken, deliver } = await rig();
  await deliver(delivery(1));
  broker.push('Deliver', { items: [delivery(1)] });
  await deliver(delivery(2));
  expect(taken).toHaveLength(2);
});

test('a consumer outlives a broker that is away, and says so', async () => {
  const { broker, notices, taken } = await rig();
  await broker.close();
  while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(notices[0]).toMatch(/lost the broker at unix:.*trying again/);
  await fs.mkdir(path.dirname(broker.socketPath), { mode: 0o700 });
  const next = await startFakeBroker({ socketPath: broker.socketPath });
  closeAfterTest(next);
  await next.until(() => credits(next).length > 0);
  next.push('Deliver', { items: [delivery(1)] });
  while (taken.length === 0) await new Promise(setImmediate);
  expect(notices.at(-1)).toMatch(/^connected to unix:/);
});

test('close sends the settles that wait, hands the rest back and ends the session', async () => {
  const { broker, consumer, taken, deliver } = await rig();
  await deliver(delivery(1), delivery(2));
  const settled = consumer.settle(taken[0]!, acked);
  await consumer.close();
  expect((await settled).state).toBe('done');
  expect(broker.received.slice(-2).map(({ name }) => name)).toEqual(['Settle', 'Goodbye']);
});

test('a subscription that the broker refuses is an error of the caller', async () => {
  const broker = await startFakeBroker({ answer: () => failure('BAD_REQUEST') });
  closeAfterTest(broker);
  const options: ConsumerOptions = {
    resolve: () => Promise.resolve({ unix: broker.socketPath }),
    clientName: 'test',
    queues: ['Bad Name'],
    credit: 1,
    blobs: noBlobs,
    onDelivery: () => undefined,
    onLeaseLost: () => undefined,
  };
  expect(await codeOf(openConsumer(options))).toBe('BAD_REQUEST');
  expect(await codeOf(openConsumer({ ...options, credit: 1001 }))).toBe('BAD_REQUEST');
});
