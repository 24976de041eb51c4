/** Large values through the port: stored before they are referred to, whole again at the other end. */

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  type Consumer,
  type Job,
  type JobQueue,
  type LeasedJob,
  newJob,
  openQueue,
} from '../../../core/job-queue/index.ts';
import {
  type BlobRef,
  decodeJob,
  encodeJob,
  type LeaseToken,
  limits,
  type Message,
} from '../../../core/protocol/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import {
  codeOf,
  type FakeBroker,
  type FakeBrokerOptions,
  failure,
  startFakeBroker,
} from '../../support/servers/fake-broker.ts';
import { type FakeShelf, fakeShelf } from '../../support/servers/fake-shelf.ts';

interface Rig {
  readonly broker: FakeBroker;
  readonly shelf: FakeShelf;
  readonly queue: JobQueue;
}

async function rig(options: FakeBrokerOptions = {}, shelf = fakeShelf()): Promise<Rig> {
  const broker = await startFakeBroker({ answer: (message) => shelf.answer(message), ...options });
  const address = { broker: `unix:${broker.socketPath}`, tokenFile: null, clientName: 'test' };
  const queue = await openQueue(address);
  closeAfterTest(broker, queue);
  return { broker, shelf, queue };
}

async function consumerOf(queue: JobQueue): Promise<Consumer> {
  const nothing = { onDelivery: () => undefined, onLeaseLost: () => undefined };
  const consumer = await queue.consume({ queues: ['a'], credit: 0, ...nothing });
  closeAfterTest(consumer);
  return consumer;
}

function jobOf(bodyBytes: number): Job {
  const job = newJob({ agent: 'a', queue: 'a', agentDigest: 'ab'.repeat(32), input: bodyBytes });
  return { ...job, body: new Uint8Array(randomBytes(bodyBytes)) };
}

const refOf = (bytes: Uint8Array): BlobRef => ({
  sha256: new Uint8Array(createHash('sha256').update(bytes).digest()),
  totalBytes: bytes.length,
});

function sentJobs({ received }: FakeBroker): Job[] {
  return received.flatMap((one) =>
    one.name === 'Enqueue' ? one.fields.jobs.map((bytes) => decodeJob(bytes)) : [],
  );
}

function settlements({ received }: FakeBroker): Message<'Settle'>['items'] {
  return received.flatMap((one) => (one.name === 'Settle' ? one.fields.items : []));
}

describe('a body', () => {
  test('up to 64 KiB travels with its job, a larger one as a blob that is stored before', async () => {
    const { broker, queue } = await rig();
    const [small, large] = [jobOf(limits.inlineBytesMax), jobOf(limits.inlineBytesMax + 1)];
    await queue.enqueue([small, large]);
    const bodyRef = refOf(large.body);
    expect(sentJobs(broker)).toEqual([small, { ...large, body: new Uint8Array(0), bodyRef }]);
    const names = broker.received.map(({ name }) => name);
    expect(names.indexOf('BlobPut')).toBeLessThan(names.indexOf('Enqueue'));
  });

  test('over 64 MiB is announced and not sent: the broker refuses it by its size', async () => {
    const { broker, queue } = await rig();
    const body = new Uint8Array(limits.blobBytesMax + 1);
    await queue.enqueue([{ ...jobOf(1), body }]);
    const sent = broker.received.flatMap((one) => (one.name === 'Enqueue' ? one.fields.jobs : []));
    expect(() => decodeJob(sent[0] ?? body)).toThrow('67108864 are allowed');
    expect(broker.received.map(({ name }) => name)).not.toContain('BlobPut');
  });

  test('of a job that was inspected is fetched when it is asked for', async () => {
    const { queue } = await rig();
    const job = jobOf(limits.inlineBytesMax + 1);
    const bodyRef = await queue.putBlob(job.body);
    const whole = await queue.wholeJob({ ...job, body: new Uint8Array(0), bodyRef });
    expect(whole).toEqual(job);
    expect(await queue.wholeJob(job)).toBe(job);
  });
});

interface Worker extends Rig {
  readonly consumer: Consumer;
  readonly taken: LeasedJob[];
  readonly lost: string[];
  readonly deliver: (...jobs: Job[]) => LeaseToken[];
}

async function worker(options: FakeBrokerOptions = {}, shelf = fakeShelf()): Promise<Worker> {
  const all = await rig(options, shelf);
  const taken: LeasedJob[] = [];
  const lost: string[] = [];
  const consumer = await all.queue.consume({
    queues: ['a'],
    credit: 4,
    onDelivery: (leased) => taken.push(leased),
    onLeaseLost: ({ job }) => lost.push(job.id),
  });
  closeAfterTest(consumer);
  const subscribed = ({ received }: FakeBroker): number =>
    received.filter(({ name }) => name === 'Subscribe').length;
  await all.broker.until(() => subscribed(all.broker) >= 2);
  const deliver = (...jobs: Job[]): LeaseToken[] => {
    const items = jobs.map((job) => ({
      token: { id: job.id, epoch: 1, delivery: 1 },
      attempt: 1,
      crashes: 0,
      isolated: false,
      leaseMs: 30_000,
      enqueuedAtMs: 1,
      job: encodeJob(job, crc32),
    }));
    all.broker.push('Deliver', { items });
    return items.map(({ token }) => token);
  };
  return { ...all, consumer, taken, lost, deliver };
}

/** The job as it travels, with its body on the shelf. */
async function referring(queue: JobQueue, job: Job): Promise<Job> {
  return { ...job, body: new Uint8Array(0), bodyRef: await queue.putBlob(job.body) };
}

describe('a delivery', () => {
  test('with a reference is handed on whole; one without does not wait for it', async () => {
    const all = await worker();
    const [large, small] = [jobOf(300_000), jobOf(10)];
    all.deliver(await referring(all.queue, large), small);
    await expect.poll(() => all.taken.map(({ job }) => job)).toEqual([small, large]);
    const settled = await all.consumer.settle(all.taken[1] as LeasedJob, { outcome: 'ack' });
    expect(settled).toEqual({ ok: true, state: 'done' });
  });

  test.each([
    ['that the broker does not have ends its job', 'NO_BLOB', 'final'],
    ['that cannot be had now goes back uncharged', 'INTERNAL', 'returned'],
  ] as const)('with a body %s', async (_, code, outcome) => {
    const shelf = fakeShelf();
    const all = await worker({
      answer: (message) => (message.name === 'BlobGet' ? failure(code) : shelf.answer(message)),
    });
    all.deliver(await referring(all.queue, jobOf(70_000)));
    await all.broker.until(() => settlements(all.broker).length > 0);
    const [settlement] = settlements(all.broker);
    expect(settlement).toMatchObject({ outcome, errorCode: code.toLowerCase() });
    expect([all.taken, all.lost]).toEqual([[], []]);
  });

  test('that is cancelled while its body is fetched is never seen', async () => {
    const shelf = fakeShelf();
    let asked = false;
    const all = await worker({
      answer(message) {
        if (message.name !== 'BlobGet') return shelf.answer(message);
        asked = true;
        return 'silence';
      },
    });
    const [token] = all.deliver(await referring(all.queue, jobOf(70_000)));
    await all.broker.until(() => asked);
    const consumerIsNewest = { token: token as LeaseToken, directive: 'cancel' as const };
    all.broker.push('Directives', { items: [consumerIsNewest] });
    const small = jobOf(10);
    all.deliver(small);
    await expect.poll(() => all.taken.map(({ job }) => job.id)).toEqual([small.id]);
    expect(all.lost).toEqual([]);
    expect(settlements(all.broker)).toEqual([]);
  });

  test('keeps its lease by renewals while its body is fetched', async () => {
    const shelf = fakeShelf();
    const all = await worker({
      hello: { leaseMs: 30 },
      answer: (message) => (message.name === 'BlobGet' ? 'silence' : shelf.answer(message)),
    });
    const [token] = all.deliver(await referring(all.queue, jobOf(70_000)));
    const renewed = (): unknown[] =>
      all.broker.received.flatMap((one) => (one.name === 'Extend' ? one.fields.tokens : []));
    await all.broker.until(() => renewed().length >= 2);
    expect(renewed()[0]).toEqual(token);
  });
});

describe('a settle', () => {
  test('carries small results and follow-up jobs, and refers to large ones', async () => {
    const all = await worker();
    const next = [jobOf(10), jobOf(80_000)];
    all.deliver(jobOf(10), jobOf(11));
    await expect.poll(() => all.taken.length).toBe(2);
    const [first, second] = all.taken as [LeasedJob, LeasedJob];
    const large = new Uint8Array(randomBytes(100_000));
    const small = Uint8Array.of(1, 2, 3);
    await all.consumer.settle(first, { outcome: 'ack', result: small, enqueue: next });
    await all.consumer.settle(second, { outcome: 'ack', result: large });
    const [one, two] = settlements(all.broker);
    expect(one?.result).toEqual({ inline: small, blob: null });
    expect(two?.result).toEqual({ inline: null, blob: refOf(large) });
    expect(one?.enqueue.map((bytes) => decodeJob(bytes).bodyRef?.totalBytes)).toEqual([
      undefined,
      80_000,
    ]);
  });

  test('parks the job on a key', async () => {
    const all = await worker();
    all.deliver(jobOf(10));
    await expect.poll(() => all.taken.length).toBe(1);
    const settle = { outcome: 'returned', errorCode: 'waits', park: 'approval:7' } as const;
    await all.consumer.settle(all.taken[0] as LeasedJob, settle);
    expect(settlements(all.broker)[0]).toMatchObject({ park: 'approval:7', delayMs: 0 });
  });
});

describe('journal and results', () => {
  const token = { id: '0'.repeat(26), epoch: 1, delivery: 1 };
  const callHash = new Uint8Array(32).fill(7);

  test.each([3, limits.inlineBytesMax, limits.inlineBytesMax + 1])(
    'keep a value of %i bytes, and the first that was put',
    async (size) => {
      const { queue, shelf } = await rig();
      const consumer = await consumerOf(queue);
      const [first, second] = [new Uint8Array(randomBytes(size)), new Uint8Array(size)];
      expect(await queue.journalGet(token.id, callHash)).toBeNull();
      expect(await consumer.journalPut({ token }, callHash, first)).toEqual(first);
      expect(await consumer.journalPut({ token }, callHash, second)).toEqual(first);
      expect(await queue.journalGet(token.id, callHash)).toEqual(first);
      expect(shelf.blobs.size > 0).toBe(size > limits.inlineBytesMax);
    },
  );

  test('a result is read whole, whether it is inline or a blob, and null when there is none', async () => {
    const { queue, shelf } = await rig();
    const [small, large] = [Uint8Array.of(5), new Uint8Array(randomBytes(70_000))];
    shelf.values.set(token.id, { inline: small, blob: null });
    expect(await queue.result(token.id)).toEqual(small);
    shelf.values.set(token.id, { inline: null, blob: await queue.putBlob(large) });
    expect(await queue.result(token.id)).toEqual(large);
    shelf.values.clear();
    expect(await queue.result(token.id)).toBeNull();
  });

  test('a damaged result is not handed on', async () => {
    const { queue, shelf } = await rig();
    const ref = await queue.putBlob(new Uint8Array(70_000));
    shelf.values.set(token.id, { inline: null, blob: { ...ref, sha256: new Uint8Array(32) } });
    expect(await codeOf(queue.result(token.id))).toBe('NO_BLOB');
  });
});
