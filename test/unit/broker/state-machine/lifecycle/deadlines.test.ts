/** Jobs that wait: priorities with ageing, delays, expiry, parking, limits, retention, a full disk. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ageingOffsetMs } from '../../../../../core/broker/state-machine/state/named-queue.ts';
import {
  errorCodes,
  type Message,
  type NewJob,
  type Priority,
  priorities,
} from '../../../../../core/protocol/index.ts';
import { bytesOf, checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const full = errorCodes.QUEUE_FULL.number;
/** The clock of these tests begins at 1,000,000. */
const jumpMs = 900_000;
const names = Object.keys(priorities) as Priority[];

function connected(options = testOptions): Driver {
  const driver = new Driver([], options);
  driver.open(1);
  return driver;
}

function reopened(driver: Driver): Driver {
  const next = driver.restarted();
  next.open(1);
  return next;
}

function put(driver: Driver, id: number, more: Partial<NewJob> = {}, queue = 'q'): number {
  return driver.enqueue(1, [checkedJob({ id, queue, more })])[0]!.code;
}

/** Takes jobs one after another and acks them; returns their ids. */
function takeAll(driver: Driver): string[] {
  const ids: string[] = [];
  driver.subscribe(1, 1);
  for (let item = driver.deliveries(1)[0]; item; item = driver.deliveries(1)[0]) {
    ids.push(item.token.id);
    driver.settle(1, item.token);
  }
  driver.subscribe(1, 0);
  return ids;
}

test('whose delay is over stands in line before a job that comes later, however late that is seen', () => {
  const driver = connected();
  put(driver, 1, { delayMs: 1000 });
  // Time passes and nobody looks until the next job comes.
  driver.now.monotonicMs += 5000;
  driver.now.wallMs += 5000;
  put(driver, 2);
  expect(takeAll(driver)).toEqual([idOf(1), idOf(2)]);
});

describe('priorities', () => {
  test('a job is overtaken only within the difference of the two offsets, restart or not', () => {
    const wishes = fc.array(
      fc.record({
        priority: fc.constantFrom(...names),
        afterMs: fc.constantFrom(0, 1, 30_000, 61_000, 300_000, 3_600_000),
      }),
      { minLength: 2, maxLength: 15 },
    );
    fc.assert(
      fc.property(wishes, fc.boolean(), (jobs, restart) => {
        let driver = connected();
        const score = new Map<string, [number, number]>();
        for (const [index, { priority, afterMs }] of jobs.entries()) {
          driver.advance(afterMs);
          put(driver, index + 1, { priority });
          score.set(idOf(index + 1), [driver.now.wallMs + ageingOffsetMs[priority], index]);
        }
        if (restart) driver = reopened(driver);
        const scores = takeAll(driver).map((id) => score.get(id)![0]);
        expect(scores).toHaveLength(jobs.length);
        expect(scores).toEqual(scores.toSorted((left, right) => left - right));
      }),
      { numRuns: 60 },
    );
  });

  test('behind a lowest job that waited for two hours nothing new gets in front', () => {
    const driver = connected();
    put(driver, 1, { priority: 'lowest' });
    driver.advance(ageingOffsetMs.lowest - 1);
    put(driver, 2, { priority: 'highest' });
    driver.advance(2);
    put(driver, 3, { priority: 'highest' });
    expect(takeAll(driver)).toEqual([2, 1, 3].map(idOf));
  });

  test('within one priority the first that became ready goes first', () => {
    const driver = connected();
    put(driver, 1, { delayMs: 100 });
    driver.advance(50);
    put(driver, 2);
    driver.advance(60);
    put(driver, 3);
    expect(takeAll(driver)).toEqual([2, 1, 3].map(idOf));
  });
});

describe('delays and expiry', () => {
  test('the later of delay and run-at counts', () => {
    const driver = connected();
    const { wallMs } = driver.now;
    put(driver, 1, { delayMs: 100, runAtMs: wallMs + 300 });
    put(driver, 2, { delayMs: 300, runAtMs: wallMs + 100 });
    put(driver, 3, { runAtMs: wallMs - 5 });
    expect([1, 2, 3].map((id) => driver.infoOf(id).dueAtMs)).toEqual([
      wallMs + 300,
      wallMs + 300,
      0,
    ]);
    driver.advance(299);
    expect(takeAll(driver)).toEqual([idOf(3)]);
    driver.advance(1);
    expect(takeAll(driver)).toEqual([1, 2].map(idOf));
  });

  test.each([1, -1])('a system clock that is set (%d) moves no delay', (sign) => {
    const driver = connected();
    put(driver, 1, { delayMs: 100 });
    driver.now.aheadMs = sign * jumpMs;
    put(driver, 2, { delayMs: 100 });
    driver.advance(99);
    expect(takeAll(driver)).toEqual([]);
    driver.advance(1);
    expect(takeAll(driver)).toEqual([1, 2].map(idOf));
  });

  test.each([1, -1])('a time of day is as far away as the set clock (%d) says', (sign) => {
    const driver = connected();
    driver.now.aheadMs = sign * jumpMs;
    const { systemMs } = driver.now;
    put(driver, 1, { runAtMs: systemMs + 100 });
    put(driver, 2, { runAtMs: systemMs - 1, expiresAtMs: systemMs + 100 });
    driver.advance(99);
    expect(takeAll(driver)).toEqual([idOf(2)]);
    driver.advance(1);
    expect(takeAll(driver)).toEqual([idOf(1)]);
  });

  test('no job expires before both clocks say so: one that was set ahead ends none', () => {
    const driver = connected();
    const expiresAtMs = driver.now.wallMs + 100;
    put(driver, 1, { expiresAtMs, attemptsMax: 9 });
    driver.now.aheadMs = jumpMs;
    driver.subscribe(1, 1);
    const [held] = driver.deliveries(1);
    driver.subscribe(1, 0);
    driver.settle(1, held!.token, 'returned');
    driver.advance(99);
    expect(driver.stateOf(1)).toBe('ready');
    driver.now.aheadMs = -50;
    driver.advance(50);
    expect(driver.stateOf(1)).toBe('ready');
    driver.advance(1);
    expect(driver.infoOf(1)).toMatchObject({ state: 'dead', errorCode: 'expired' });
  });

  test('what waits is dead at its expiry: ready, delayed and parked; what is leased may finish', () => {
    const driver = connected();
    const expiresAtMs = driver.now.wallMs + 100;
    put(driver, 1, { expiresAtMs });
    driver.subscribe(1, 1);
    const [held] = driver.deliveries(1);
    driver.subscribe(1, 0);
    put(driver, 2, { expiresAtMs });
    put(driver, 3, { expiresAtMs, delayMs: 500 });
    put(driver, 4, { expiresAtMs, parkKey: 'k' });
    driver.advance(99);
    expect([2, 3, 4].map((id) => driver.stateOf(id))).toEqual(['ready', 'delayed', 'parked']);
    driver.advance(1);
    for (const id of [2, 3, 4]) {
      expect(driver.infoOf(id)).toMatchObject({ state: 'dead', errorCode: 'expired', attempts: 0 });
    }
    expect(driver.settle(1, held!.token)).toMatchObject({ code: 0, state: 'done' });
  });

  test('a job that comes back after its expiry is dead, and runs when an operator retries it', () => {
    let driver = connected();
    put(driver, 1, { expiresAtMs: driver.now.wallMs + 100, attemptsMax: 9 });
    driver.subscribe(1, 1);
    const [held] = driver.deliveries(1);
    driver.advance(150);
    expect(driver.settle(1, held!.token, 'throttled', { park: 'k' })).toMatchObject({
      state: 'dead',
    });
    expect(driver.infoOf(1).errorCode).toBe('expired');
    driver.subscribe(1, 0);
    driver.request(1, 'Retry', { ids: [idOf(1)] });
    driver = reopened(driver);
    driver.advance(10_000);
    expect(driver.infoOf(1)).toMatchObject({ state: 'ready', expiresAtMs: 0, returns: 0 });
    expect(takeAll(driver)).toEqual([idOf(1)]);
  });
});

describe('parked jobs', () => {
  test('wait for their own key, in all queues, and keep it over a restart', () => {
    let driver = connected();
    put(driver, 1, { parkKey: 'a', delayMs: 50 });
    put(driver, 2, { parkKey: 'b' });
    put(driver, 3, { parkKey: 'a' }, 'other');
    driver.advance(10_000);
    expect(driver.stateOf(1)).toBe('parked');
    driver = reopened(driver);
    expect(driver.request(1, 'Signal', { key: 'a' })).toMatchObject({ touched: 2, done: true });
    expect([1, 2, 3].map((id) => driver.stateOf(id))).toEqual(['ready', 'parked', 'ready']);
    expect(driver.infoOf(2).parkKey).toBe('b');
    expect(driver.infoOf(1).parkKey).toBe('');
  });

  test('a settle parks instead of the delay, charged as its outcome says', () => {
    const driver = connected();
    put(driver, 1, { attemptsMax: 2 });
    driver.subscribe(1, 1);
    const park = (outcome: 'retry' | 'throttled' | 'returned') =>
      driver.settle(1, driver.deliveries(1)[0]!.token, outcome, { park: 'k', delayMs: 5 });
    for (const outcome of ['throttled', 'returned', 'retry'] as const) {
      expect(park(outcome)).toMatchObject({ code: 0, state: 'parked' });
      driver.request(1, 'Signal', { key: 'k' });
    }
    expect(driver.infoOf(1)).toMatchObject({ attempts: 1, returns: 2 });
    expect(park('retry')).toMatchObject({ state: 'dead' });
  });

  test('a thousand keys come and go', () => {
    const driver = connected();
    for (const round of [0, 1]) {
      for (let id = 1; id <= 1000; id++) put(driver, round * 1000 + id, { parkKey: `k${id}` });
      for (let id = 1; id <= 1000; id++) {
        expect(driver.request(1, 'Signal', { key: `k${id}` })).toMatchObject({ touched: 1 });
      }
    }
    const { queues } = driver.request(1, 'Stats', { queues: ['q'] }) as Message<'StatsOk'>;
    expect(queues[0]).toMatchObject({ ready: 2000, parked: 0 });
  });
});

describe('limits of a queue', () => {
  test('count jobs that are not over, refuse item by item, and drop nothing', () => {
    const driver = connected();
    const settings = { jobsMax: 2, bytesMax: 0, keepMs: 0, keepJobs: 0 };
    driver.request(1, 'ConfigureQueue', { queue: 'q', ...settings });
    const codes = driver.enqueue(
      1,
      [1, 2, 3].map((id) => checkedJob({ id })),
    );
    expect(codes.map(({ code }) => code)).toEqual([0, 0, full]);
    expect(put(driver, 4, {}, 'other')).toBe(0);
    expect(put(driver, 1)).toBe(0);
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token);
    expect(put(driver, 3)).toBe(0);
    expect(put(driver, 5)).toBe(full);
    // The limit outlives a restart; what comes back is never refused.
    const next = reopened(driver);
    expect(put(next, 5)).toBe(full);
    next.request(1, 'ConfigureQueue', { queue: 'q', ...settings, jobsMax: 0 });
    expect(put(next, 5)).toBe(0);
  });

  test('hold for an atomic batch as a whole, in jobs and in bytes', () => {
    const size = bytesOf(checkedJob({ id: 1 })).length;
    for (const limit of [{ jobsMax: 2 }, { bytesMax: 2 * size }]) {
      const driver = connected();
      const settings = { jobsMax: 0, bytesMax: 0, keepMs: 0, keepJobs: 0, ...limit };
      driver.request(1, 'ConfigureQueue', { queue: 'q', ...settings });
      const batch = (ids: readonly number[]): number[] =>
        driver
          .enqueue(
            1,
            ids.map((id) => checkedJob({ id })),
            true,
          )
          .map(({ code }) => code);
      const records = driver.log.length;
      expect(batch([1, 2, 3])).toEqual([
        errorCodes.BATCH_REFUSED.number,
        errorCodes.BATCH_REFUSED.number,
        full,
      ]);
      expect(driver.log.length).toBe(records);
      expect(batch([1, 2])).toEqual([0, 0]);
      expect(batch([1, 2])).toEqual([0, 0]);
      expect(batch([1, 3])).toEqual([errorCodes.BATCH_REFUSED.number, full]);
    }
  });
});

describe('retention', () => {
  const keep = (driver: Driver, keepMs: number, keepJobs: number): unknown =>
    driver.request(1, 'ConfigureQueue', { queue: 'q', jobsMax: 0, bytesMax: 0, keepMs, keepJobs });

  test('forgets by age, done and cancelled alike, and never a dead job', () => {
    const driver = connected();
    keep(driver, 5_000, 0);
    for (const id of [1, 2, 3]) put(driver, id);
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token);
    driver.settle(1, driver.deliveries(1)[0]!.token, 'final');
    driver.subscribe(1, 0);
    driver.request(1, 'Cancel', { ids: [idOf(3)] });
    driver.advance(4_000);
    expect([1, 2, 3].map((id) => driver.stateOf(id))).toEqual(['done', 'dead', 'cancelled']);
    driver.advance(2_000);
    expect([1, 2, 3].map((id) => driver.stateOf(id))).toEqual(['none', 'dead', 'none']);
    expect(driver.restarted().stateOf(1)).toBe('none');
  });

  test('forgets by number, the first finished first; the same id is then a new job', () => {
    const driver = connected();
    keep(driver, 0, 2);
    for (const id of [4, 1, 3, 2]) put(driver, id);
    expect(takeAll(driver)).toHaveLength(4);
    driver.advance(1_000);
    expect([4, 1, 3, 2].map((id) => driver.stateOf(id))).toEqual(['none', 'none', 'done', 'done']);
    expect(driver.enqueue(1, [checkedJob({ id: 4, digest: 99 })])[0]).toMatchObject({
      outcome: 'created',
    });
    const next = reopened(driver);
    expect(next.stateOf(4)).toBe('ready');
    expect(takeAll(next)).toEqual([idOf(4)]);
  });
});

test('a full disk takes and delivers nothing, settles and cancels go on, and work resumes', () => {
  const driver = connected();
  for (const id of [1, 2, 3]) put(driver, id);
  driver.subscribe(1, 1);
  const [held] = driver.deliveries(1);
  driver.tell({ type: 'disk', full: true });
  expect(put(driver, 9)).toBe(errorCodes.DISK_FULL.number);
  expect(put(driver, 1)).toBe(0);
  const enqueue = [bytesOf(checkedJob({ id: 10 }))];
  expect(driver.settle(1, held!.token, 'ack', { enqueue })).toMatchObject({
    code: errorCodes.DISK_FULL.number,
    state: 'leased',
  });
  expect(driver.settle(1, held!.token)).toMatchObject({ code: 0, state: 'done' });
  expect(driver.request(1, 'Cancel', { ids: [idOf(2)] })).toMatchObject({ items: [{ code: 0 }] });
  expect(driver.deliveries(1)).toEqual([]);
  driver.tell({ type: 'disk', full: false });
  expect(driver.deliveries(1).map(({ token }) => token.id)).toEqual([idOf(3)]);
});
