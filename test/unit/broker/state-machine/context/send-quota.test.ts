/** What is on its way to each peer: bounded for each and for all, and what leases and watchers have of it. */

import { describe, expect, test, vi } from 'vitest';
import { changesMax } from '../../../../../core/broker/state-machine/context/change-feed.ts';
import type { JobView } from '../../../../../core/broker/state-machine/context/job-view.ts';
import {
  SendQuota,
  unsentBytesMax,
} from '../../../../../core/broker/state-machine/context/send-quota.ts';
import { Watchers } from '../../../../../core/broker/state-machine/context/watchers.ts';
import type { Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const mebibyte = 1024 * 1024;

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

describe('the budget', () => {
  test('is never used up by those who do not read, and always has room for the next peer', () => {
    const unsent = new SendQuota();
    for (const connection of range(1000)) {
      unsent.open(connection);
      expect(unsent.takesJobs(connection)).toBe(true);
      while (unsent.takesJobs(connection)) unsent.add(connection, 60_000);
    }
    expect(unsent.bytes).toBeLessThan(3 * unsentBytesMax);
  });

  test('forgets what was on its way to a connection that is gone', () => {
    const unsent = new SendQuota();
    unsent.open(1);
    unsent.add(1, 1000);
    unsent.forget(1);
    unsent.add(1, 1000);
    unsent.remove(1, 500);
    expect(unsent.bytes).toBe(0);
  });
});

/** A broker with as many jobs of a size, and a consumer that is slow to take them. */
function withSilentConsumer(count: number, bodyBytes: number): Driver {
  const driver = new Driver();
  driver.open(1);
  driver.open(2);
  const body = 'x'.repeat(bodyBytes);
  for (const id of range(count)) driver.enqueue(1, [checkedJob({ id, body })]);
  driver.silent.add(2);
  return driver;
}

/** Everything that is on its way leaves. */
function takeAll(driver: Driver, slowestMs = 0): void {
  for (const left of driver.onTheirWay.splice(0)) driver.tell({ ...left, slowestMs });
}

function leasedBytes(driver: Driver): number {
  return driver.deliveries(2).reduce((sum, { job }) => sum + job.length, 0);
}

describe('deliveries', () => {
  test('end at the share of a consumer that does not read: the jobs are there for others', () => {
    const driver = withSilentConsumer(200, 60_000);
    driver.subscribe(2, 1000);
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    expect(leasedBytes(driver)).toBeLessThan(1.1 * mebibyte);
    driver.subscribe(1, 1000);
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    expect(driver.deliveries(1).length).toBeGreaterThan(150);
    takeAll(driver);
    expect(driver.stateOf(200)).toBe('leased');
  });

  test('are made a mebibyte at a time, however many places there are', () => {
    const driver = withSilentConsumer(200, 60_000);
    driver.subscribe(2, 1000);
    const steps = [leasedBytes(driver)];
    while (driver.onTheirWay.length > 0) {
      takeAll(driver);
      steps.push(leasedBytes(driver));
    }
    expect(Math.max(...steps)).toBeLessThan(1.2 * mebibyte);
    expect(steps.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(200 * 60_000);
  });

  test('to a slow line are few at a time, so that answers get through between them', () => {
    const driver = withSilentConsumer(20, 60_000);
    driver.subscribe(2, 1);
    takeAll(driver, 5_000);
    driver.deliveries(2);
    driver.subscribe(2, 20);
    expect(leasedBytes(driver)).toBeLessThan(3 * 64 * 1024);
  });
});

describe('a lease', () => {
  test('runs from when its last byte left, not while it waits for a slow line', () => {
    const driver = withSilentConsumer(1, 500_000);
    driver.subscribe(2, 1);
    for (const _ of range(20)) driver.advance(testOptions.leaseMs);
    expect(driver.stateOf(1)).toBe('leased');
    takeAll(driver);
    driver.advance(testOptions.leaseMs - 1);
    expect(driver.stateOf(1)).toBe('leased');
    driver.advance(1);
    expect(driver.infoOf(1)).toMatchObject({ state: 'leased', deliveries: 2 });
  });

  test('of a slow line begins when what the system holds of it can have arrived', () => {
    const driver = withSilentConsumer(1, 1000);
    driver.subscribe(2, 1);
    takeAll(driver, 20_000);
    driver.advance(testOptions.leaseMs + 20_000);
    expect(driver.infoOf(1).deliveries).toBe(1);
    driver.advance(60_000);
    expect(driver.infoOf(1).deliveries).toBe(2);
  });

  test('runs when the connection is lost: a peer that never reads holds none for ever', () => {
    const driver = withSilentConsumer(1, 1000);
    driver.subscribe(2, 1);
    driver.close(2);
    driver.advance(testOptions.resumeMs.unix);
    expect(driver.stateOf(1)).toBe('ready');
    driver.open(3, 2);
    expect(driver.stateOf(1)).toBe('ready');
  });

  test('of a session that came back on another connection runs from then at the latest', () => {
    const driver = withSilentConsumer(1, 1000);
    driver.subscribe(2, 1);
    driver.open(3, 2);
    driver.advance(testOptions.leaseMs);
    expect(driver.stateOf(1)).toBe('ready');
  });
});

describe('a watcher that does not read', () => {
  function heard(driver: Driver): [string, string][] {
    return driver.sent
      .filter(({ connection, name }) => connection === 2 && name === 'JobEvents')
      .flatMap(({ fields }) => (fields as Message<'JobEvents'>).jobs)
      .map(({ id, state }) => [id, state]);
  }

  /** Changes jobs until much is on its way to the watcher; each says much of itself. */
  function watched(): Driver {
    const driver = new Driver();
    driver.open(1);
    driver.open(2);
    driver.silent.add(2);
    driver.request(2, 'Watch', { queues: [] });
    return driver;
  }

  test('has little on its way, and hears the newest state of every job when it reads', () => {
    const driver = watched();
    const source = 's'.repeat(4000);
    for (const id of range(3000)) driver.enqueue(1, [checkedJob({ id, more: { source } })]);
    const ids = range(3000).map(idOf);
    driver.request(1, 'Cancel', { ids: ids.slice(2000, 3000) });
    const onTheWay = driver.sent.filter(({ name }) => name === 'JobEvents').length;
    expect(onTheWay).toBeLessThan(1000);
    driver.silent.clear();
    takeAll(driver);
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    const last = new Map(heard(driver));
    expect(ids.map((id) => last.get(id))).toEqual(
      ids.map((_, at) => (at < 2000 ? 'ready' : 'cancelled')),
    );
  });

  test('ends when it is behind too far, and is told that it was too slow; others go on', () => {
    const driver = watched();
    driver.open(3);
    driver.request(3, 'Watch', { queues: [] });
    const source = 's'.repeat(4000);
    driver.enqueue(
      1,
      range(1000).map((id) => checkedJob({ id, more: { source } })),
    );
    driver.request(1, 'Pause', { queue: 'q' });
    for (let count = 0; count < changesMax; count += 2000) {
      const jobs = range(1000).map((id) => checkedJob({ id: count + id + 10_000 }));
      driver.enqueue(1, jobs);
      driver.request(1, 'Cancel', { ids: jobs.map((job) => (job.ok ? job.job.id : '')) });
    }
    driver.silent.clear();
    takeAll(driver);
    while (driver.machine.nextDueMs(driver.now) === 0) driver.advance(0);
    const lastOf = (to: number) => driver.sent.filter(({ connection }) => connection === to).at(-1);
    expect(lastOf(2)).toMatchObject({ name: 'Error', thenClose: true });
    driver.request(1, 'Cancel', { ids: [idOf(1)] });
    expect(lastOf(3)).toMatchObject({ name: 'JobEvents' });
  });

  test('costs nothing for each change: what changed is kept once, however many watch', () => {
    const watchers = new Watchers();
    let made = 0;
    const picture = (): JobView => ({ seq: ++made, row: { queue: 'q' } }) as JobView;
    for (const connection of range(1000)) watchers.watch(connection, connection % 2 ? [] : ['q']);
    for (const _ of range(500)) expect(watchers.record('q', picture)).toBe(true);
    for (const connection of range(1000)) {
      const { views } = watchers.take(connection, 1000, () => null);
      expect(views.map(({ seq }) => seq)).toEqual(range(500));
    }
    expect(made).toBe(500);
    for (const connection of range(1000)) watchers.forget(connection);
    expect(watchers.record('q', picture)).toBe(false);
  });

  test('is told nothing of other queues, and what others watch is looked through in pieces', () => {
    const watchers = new Watchers();
    watchers.watch(1, ['quiet']);
    const picture = (): JobView => ({ seq: 1, row: { queue: 'busy' } }) as JobView;
    expect(watchers.record('busy', picture)).toBe(false);
    watchers.watch(2, []);
    for (const _ of range(5000)) watchers.record('busy', picture);
    for (const isLast of [false, false, true]) {
      expect(watchers.take(1, 100, () => null).views).toEqual([]);
      expect(watchers.hasMore(1)).toBe(!isLast);
    }
  });
});

test('waits for one job are answered in pieces, as they are read, each once', () => {
  const driver = new Driver();
  driver.open(1);
  driver.open(2);
  driver.enqueue(1, [checkedJob({ more: { source: 's'.repeat(4000) } })]);
  for (let id = 0; id < 1000; id++) driver.request(2, 'Wait', { id: idOf(1) });
  driver.silent.add(2);
  const answers = (): number => driver.sent.filter(({ name }) => name === 'WaitOk').length;
  driver.request(1, 'Cancel', { ids: [idOf(1)] });
  expect(answers()).toBeLessThan(500);
  while (driver.onTheirWay.length > 0) takeAll(driver);
  expect(answers()).toBe(1000);
});

test('each wait is told of its own job, and a job that many wait for is read once for all of a piece', () => {
  const driver = new Driver();
  driver.open(1);
  driver.open(2);
  driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2 })]);
  driver.sent = [];
  for (const id of range(90)) driver.request(2, 'Wait', { id: idOf((id % 2) + 1) });
  const decode = vi.spyOn(TextDecoder.prototype, 'decode');
  driver.request(1, 'Cancel', { ids: [idOf(1), idOf(2)] });
  const texts = decode.mock.calls.length;
  decode.mockRestore();
  const told = driver.sent.filter(({ name }) => name === 'WaitOk');
  const first = Math.min(...told.map(({ correlationId }) => correlationId));
  expect(new Set(told.map(({ correlationId }) => correlationId)).size).toBe(90);
  for (const { correlationId, fields } of told) {
    const { job } = fields as Message<'WaitOk'>;
    expect(job.id).toBe(idOf(((correlationId - first + 1) % 2) + 1));
  }
  expect(texts).toBeLessThan(90);
});
