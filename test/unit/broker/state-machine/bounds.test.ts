/** What one event may cost and what the core may keep: limits that hold however many clients there are. */

import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Core } from '../../../../core/broker/state-machine/context/core.ts';
import { WaitList } from '../../../../core/broker/state-machine/context/wait-list.ts';
import { sweepDeadlines } from '../../../../core/broker/state-machine/lifecycle/deadlines.ts';
import {
  deliverReady,
  framesLeft,
} from '../../../../core/broker/state-machine/lifecycle/delivery.ts';
import { endLease } from '../../../../core/broker/state-machine/lifecycle/lease-end.ts';
import {
  connectionClosed,
  openSession,
} from '../../../../core/broker/state-machine/lifecycle/sessions.ts';
import { enqueue } from '../../../../core/broker/state-machine/requests/enqueue.ts';
import { wait } from '../../../../core/broker/state-machine/requests/inspect.ts';
import { QueueSet } from '../../../../core/broker/state-machine/state/queue-set.ts';
import { TimeHeap } from '../../../../core/broker/state-machine/table/time-heap.ts';
import {
  encodeFields,
  limits,
  type Message,
  noUsage,
  Writer,
} from '../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from './driver.ts';

const now = { monotonicMs: 1000, wallMs: 1_000_000, systemMs: 1_000_000 };
const returned = { end: 'returned', errorCode: '', errorMessage: '' } as const;

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** A core with a consumer on connection 1 that takes one job of `q` at a time. */
function coreWithConsumer(): Core {
  const core = new Core(testOptions);
  const hello = { session: idOf(1), client: '', proof: new Uint8Array(0), features: 0 };
  openSession(
    core,
    {
      type: 'opened',
      connection: 1,
      transport: 'unix',
      correlationId: 1,
      hello: { ...hello, frameBytesMax: 4_194_304 },
    },
    now,
  );
  const session = core.connections.get(1);
  if (session === undefined) throw new Error('no session');
  core.subscriptions.set(session, ['q'], 1);
  return core;
}

describe('one event', () => {
  test('does not look through all queues that sessions wait for in vain', () => {
    const driver = new Driver();
    driver.open(99);
    driver.enqueue(99, [checkedJob({ id: 1, queue: 'there' })]);
    for (const consumer of range(50)) {
      driver.open(consumer);
      const names = range(1000).map((number) => `none-${number}`);
      driver.subscribe(consumer, 1, [...names, 'paused']);
    }
    driver.enqueue(99, [checkedJob({ id: 2, queue: 'paused' })]);
    const find = vi.spyOn(QueueSet.prototype, 'find');
    for (let count = 0; count < 100; count++) driver.request(99, 'Ping', {});
    driver.enqueue(99, [checkedJob({ id: 3, queue: 'there' })]);
    expect(find.mock.calls.length).toBeLessThan(100);
    find.mockRestore();
    driver.enqueue(99, [checkedJob({ id: 4, queue: 'none-7' })]);
    expect(driver.stateOf(4)).toBe('leased');
  });

  test('an unpaused queue, one that comes back, and a retry are found by who waited in vain', () => {
    const driver = new Driver();
    driver.open(1);
    driver.open(2);
    driver.subscribe(1, 10);
    driver.request(2, 'Pause', { queue: 'q' });
    driver.enqueue(2, [checkedJob({ id: 1 }), checkedJob({ id: 2, more: { parkKey: 'k' } })]);
    expect(driver.deliveries(1)).toEqual([]);
    driver.request(2, 'Unpause', { queue: 'q' });
    const [first] = driver.deliveries(1);
    expect(first?.token.id).toBe(idOf(1));
    driver.request(2, 'Signal', { key: 'k' });
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    const [second] = driver.deliveries(1);
    expect(second?.token.id).toBe(idOf(2));
    driver.settle(1, first!.token, 'retry');
    expect(driver.deliveries(1).map(({ token }) => token.id)).toEqual([idOf(1)]);
    driver.settle(1, second!.token, 'final');
    driver.request(2, 'Retry', { ids: [idOf(2)] });
    expect(driver.deliveries(1).map(({ token }) => token.id)).toEqual([idOf(2)]);
  });

  test('a lost session gives its leases back in steps, also when it comes back amid them', () => {
    const driver = new Driver();
    driver.open(99);
    driver.enqueue(
      99,
      range(1000).map((id) => checkedJob({ id })),
    );
    driver.open(1);
    driver.subscribe(1, 1000);
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    const tokens = driver.deliveries(1).map(({ token }) => token);
    driver.close(1);
    const before = driver.log.length;
    driver.advance(testOptions.resumeMs.unix);
    expect(driver.log.length - before).toBeLessThanOrEqual(250);
    driver.open(2, 1);
    const { items } = driver.request(2, 'Resume', { tokens }) as Message<'ResumeOk'>;
    const lost = items.filter(({ code }) => code !== 0).length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(1000);
    expect(driver.log.length - before).toBe(lost);
  });

  test('losing many sessions at once is spread over many ticks, and no job is forgotten', () => {
    const driver = new Driver();
    const consumers = range(12);
    driver.open(99);
    for (const consumer of consumers) {
      const jobs = range(500).map((id) => checkedJob({ id: consumer * 1000 + id }));
      driver.enqueue(99, jobs);
      driver.open(consumer);
      driver.subscribe(consumer, 500);
    }
    for (const consumer of consumers) driver.close(consumer);
    driver.now.monotonicMs += testOptions.resumeMs.unix;
    const touched: number[] = [];
    while (driver.machine.nextDueMs(driver.now) === 0) {
      const records = driver.log.length;
      driver.advance(0);
      touched.push(driver.log.length - records);
    }
    expect(touched.reduce((sum, count) => sum + count, 0)).toBe(6000);
    expect(Math.max(...touched)).toBeLessThan(2000);
    expect(driver.infoOf(1001)).toMatchObject({ state: 'ready', crashes: 1 });
  });

  test('a consumer that claims absurd usage stops nobody: sums end at what a record can hold', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    const most = Number.MAX_SAFE_INTEGER;
    const usage = { ...noUsage, calls: 0xffff_ffff, inputTokens: most, costMicros: most };
    for (const outcome of ['retry', 'ack'] as const) {
      expect(driver.settle(1, driver.deliveries(1)[0]!.token, outcome, { usage }).code).toBe(0);
    }
    expect(driver.restarted().infoOf(1).usage).toEqual(usage);
  });
});

test('a Deliver frame holds 256 KiB at most, unless one job alone is larger', () => {
  const driver = new Driver();
  driver.open(1);
  const sizes = [...range(20).map(() => 60_000), 500_000, 60_000];
  const jobs = sizes.map((size, id) => checkedJob({ id: id + 1, body: 'x'.repeat(size) }));
  driver.enqueue(1, jobs);
  driver.subscribe(1, jobs.length);
  const frames = driver.sent.filter(({ name }) => name === 'Deliver');
  const items = frames.map(({ fields }) => (fields as Message<'Deliver'>).items);
  expect(items.flat()).toHaveLength(jobs.length);
  for (const jobsOfFrame of items) {
    const bytes = jobsOfFrame.reduce((sum, { job }) => sum + job.length, 0);
    if (jobsOfFrame.length > 1) expect(bytes).toBeLessThan(limits.batchBytesMax);
  }
});

describe('fairness', () => {
  test('jobs that come one at a time go to consumers with room in turn', () => {
    const driver = new Driver();
    for (const consumer of [1, 2, 3]) {
      driver.open(consumer);
      driver.subscribe(consumer, 10);
    }
    const takers = range(6).map((id) => {
      driver.enqueue(1, [checkedJob({ id })]);
      return [1, 2, 3].find((consumer) => driver.deliveries(consumer).length === 1);
    });
    expect(takers).toEqual([1, 2, 3, 1, 2, 3]);
  });
});

describe('what the core keeps', () => {
  test('deadlines of leases that ended are forgotten long before they are due', () => {
    const core = coreWithConsumer();
    for (const id of range(5000)) {
      const jobs = [checkedJob({ id })];
      enqueue(core, { type: 'enqueue', connection: 1, correlationId: 1, atomic: false, jobs }, now);
      deliverReady(core, now);
      const bytes = core.unsent.of(1);
      core.unsent.remove(1, bytes);
      const left = { type: 'left', connection: 1, bytes, deliveries: 1, slowestMs: 0 } as const;
      framesLeft(core, left, now);
      const entry = core.state.jobs.get(idOf(id));
      if (entry?.state !== 'leased') throw new Error('not delivered');
      endLease(core, entry, now, returned);
      core.commit({ kind: 'cancelled', ids: [entry.id], atMs: 0 });
      // As each tick does.
      sweepDeadlines(core);
    }
    expect(core.leases.deadlines.length).toBeLessThan(2000);
  });

  test('a lease outlives the forgetting of others and still runs out at its deadline', () => {
    const driver = new Driver();
    driver.open(1);
    driver.open(2);
    driver.enqueue(1, [checkedJob({ id: 1, queue: 'slow' })]);
    driver.subscribe(1, 1, ['slow']);
    for (const batch of [1, 2, 3]) {
      const jobs = range(1000).map((id) => checkedJob({ id: batch * 1000 + id }));
      driver.enqueue(2, jobs);
    }
    driver.subscribe(2, 1);
    for (let delivery = driver.deliveries(2)[0]; delivery; delivery = driver.deliveries(2)[0]) {
      driver.settle(2, delivery.token);
    }
    driver.subscribe(1, 0, ['slow']);
    driver.advance(testOptions.leaseMs - 1);
    expect(driver.stateOf(1)).toBe('leased');
    driver.advance(1);
    expect(driver.infoOf(1)).toMatchObject({ state: 'ready', errorCode: 'lease_expired' });
  });

  test('a connection that closes takes its waiting with it', () => {
    const core = coreWithConsumer();
    const jobs = range(10).map((id) => checkedJob({ id, delayMs: 1000 }));
    enqueue(core, { type: 'enqueue', connection: 1, correlationId: 1, atomic: false, jobs }, now);
    const session = core.connections.get(1)!;
    for (const id of range(10)) {
      const fields = { id: idOf(id) };
      wait({ core, session, connection: 1, correlationId: id, now, fields });
    }
    expect(core.waiting.jobCount).toBe(10);
    connectionClosed(core, 1, now);
    expect(core.waiting.jobCount).toBe(0);
  });

  test('waits of one connection are counted each, those for the same job too, until they end', () => {
    const waiting = new WaitList();
    for (const correlationId of range(3)) waiting.add('a', 1, correlationId);
    waiting.add('b', 1, 4);
    waiting.add('a', 2, 4);
    expect([waiting.countOf(1), waiting.countOf(2)]).toEqual([4, 1]);
    waiting.take('a');
    expect([waiting.countOf(1), waiting.countOf(2)]).toEqual([1, 0]);
    waiting.forget(1);
    expect([waiting.countOf(1), waiting.jobCount]).toEqual([0, 0]);
  });

  test('of those who wait for a job each is answered once, and only those still connected', () => {
    const waiting = new WaitList();
    waiting.add('a', 1, 5);
    waiting.add('a', 2, 5);
    waiting.add('a', 2, 6);
    waiting.add('b', 1, 7);
    waiting.forget(1);
    expect([...waiting.take('a')]).toEqual([[2, [5, 6]]]);
    expect([waiting.take('a').size, waiting.take('b').size, waiting.jobCount]).toEqual([0, 0, 0]);
  });
});

describe('looking', () => {
  test('a page of jobs fits the smallest frame that a client may ask for', () => {
    const driver = new Driver();
    driver.open(1);
    const note = '語'.repeat(8000);
    for (const id of range(200)) {
      driver.enqueue(1, [checkedJob({ id })]);
      driver.subscribe(1, 1);
      driver.settle(1, driver.deliveries(1)[0]!.token, 'ack', { note });
    }
    const request = { queue: null, state: null, before: 0, limit: 1000 };
    const page = driver.request(1, 'List', request) as Message<'ListOk'>;
    const writer = new Writer();
    encodeFields(writer, 'ListOk', page);
    expect(writer.length).toBeLessThan(limits.jobBytesMax);
    expect(page.next).toBeGreaterThan(0);
  });

  test('every beginning of an id finds its job among many, and one that fits nothing finds none', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(
      1,
      range(300).map((id) => checkedJob({ id })),
    );
    for (const length of range(26).filter((each) => each > 1)) {
      const fields = { idPrefix: idOf(42).slice(0, length), withJob: false };
      const { jobs } = driver.request(1, 'Inspect', fields) as Message<'InspectOk'>;
      expect(jobs.map((job) => job.info.id)).toContain(idOf(42));
      expect(jobs.every((job) => job.info.id.startsWith(fields.idPrefix))).toBe(true);
    }
    const none = driver.request(1, 'Inspect', { idPrefix: 'zzzzzz', withJob: false });
    expect(none).toEqual({ jobs: [] });
  });

  test('a session counts once as consumer of a queue that it serves and holds leases of', () => {
    const driver = new Driver();
    driver.open(1);
    driver.open(2);
    driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2 })]);
    driver.subscribe(1, 2);
    driver.subscribe(2, 1, ['q', 'other']);
    const consumers = (): number[] => {
      const stats = driver.request(2, 'Stats', { queues: ['q', 'other', 'none'] });
      return (stats as Message<'StatsOk'>).queues.map((queue) => queue.consumers);
    };
    expect(consumers()).toEqual([2, 1, 0]);
    driver.subscribe(1, 0, []);
    expect(consumers()).toEqual([2, 1, 0]);
    driver.close(1);
    expect(consumers()).toEqual([2, 1, 0]);
    driver.advance(testOptions.resumeMs.unix);
    expect(consumers()).toEqual([1, 1, 0]);
  });
});

test('a heap that forgets some entries gives the others in order of time', () => {
  const times = fc.array(fc.nat(50), { minLength: 1_100, maxLength: 2_000, size: 'max' });
  fc.assert(
    fc.property(times, fc.nat(50), (all, limit) => {
      const heap = new TimeHeap<number>();
      for (const time of all) heap.push(time, time);
      while (heap.sweep((item, atMs) => item <= limit && atMs === item));
      const popped: number[] = [];
      for (let item = heap.popDue(50); item !== undefined; item = heap.popDue(50)) {
        popped.push(item);
      }
      // Some that should be forgotten may be there yet; none of the others is missing.
      const kept = popped.filter((time) => time <= limit);
      expect(kept).toEqual(
        all.filter((time) => time <= limit).toSorted((left, right) => left - right),
      );
      expect(popped).toEqual(popped.toSorted((left, right) => left - right));
    }),
    { numRuns: 20 },
  );
});

describe('of jobs that are over and forgotten', () => {
  test.each([
    ['delay', { delayMs: 86_400_000 }],
    ['expiry', { more: { expiresAtMs: 400 * 86_400_000 } }],
  ] as const)('no %s is kept, though it would be due only much later', (_, wish) => {
    const driver = new Driver([], { ...testOptions, keepMs: 1 });
    driver.open(1);
    for (let from = 1; from <= 8_000; from += 1_000) {
      const ids = Array.from({ length: 1_000 }, (__, index) => from + index);
      driver.enqueue(
        1,
        ids.map((id) => checkedJob({ id, ...wish })),
      );
    }
    expect(driver.machine.deadlineCount).toBeGreaterThanOrEqual(8_000);
    driver.request(1, 'Purge', { queue: 'q' });
    // Until nothing is left to do at once.
    for (let round = 0; round < 5 || driver.machine.nextDueMs(driver.now) === 0; round++) {
      expect(round).toBeLessThan(2_000);
      driver.advance(round < 5 ? 1_000 : 0);
    }
    driver.advance(1_000);
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    expect(driver.machine.jobCount).toBe(0);
    expect(driver.machine.deadlineCount).toBeLessThanOrEqual(1_024);
  });
});
