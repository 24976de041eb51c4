/** Jobs that were handed out and could not be read: an error costs them nothing, damage ends them. */

import { expect, test } from 'vitest';
import { ReadPause } from '../../../../../core/broker/state-machine/context/read-pause.ts';
import type { Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

/** Ten jobs, and a consumer with room for all of them. */
function withTenJobs(): { driver: Driver; ids: number[] } {
  const driver = new Driver([], testOptions);
  const ids = Array.from({ length: 10 }, (_, index) => index + 1);
  driver.open(1);
  for (const id of ids) driver.enqueue(1, [checkedJob({ id })]);
  driver.subscribe(1, 10);
  return { driver, ids };
}

test('of many jobs that are found damaged at once few end before a pause, the others count nothing', () => {
  const { driver, ids } = withTenJobs();
  const items = driver.deliveries(1);
  expect(items).toHaveLength(10);
  driver.tell({ type: 'unreadable', tokens: items.map(({ token }) => token) });
  const states = () => ids.map((id) => driver.stateOf(id));
  expect(states().filter((state) => state === 'dead')).toHaveLength(4);
  expect(states().filter((state) => state === 'ready')).toHaveLength(6);
  expect(driver.deliveries(1), 'nothing is handed out in the pause').toEqual([]);
  driver.advance(250);
  const again = driver.deliveries(1);
  expect(again.map(({ attempt, crashes }) => [attempt, crashes])).toEqual(
    Array.from({ length: 6 }, () => [1, 0]),
  );
});

test('jobs that could not be read just then go back uncounted, after pauses that grow', () => {
  const { driver } = withTenJobs();
  let items = driver.deliveries(1);
  for (const pauseMs of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    driver.tell({ type: 'unread', tokens: items.map(({ token }) => token), reason: 'EMFILE' });
    driver.advance(pauseMs - 1);
    expect(driver.deliveries(1), `${pauseMs} ms`).toEqual([]);
    driver.advance(1);
    // A read that works brings more: here all do.
    items = driver.deliveries(1);
    expect(items.map(({ attempt, crashes }) => [attempt, crashes])).toEqual(
      Array.from({ length: 10 }, () => [1, 0]),
    );
  }
  const told = driver.request(1, 'Inspect', { idPrefix: idOf(1), withJob: false });
  expect((told as Message<'InspectOk'>).jobs[0]?.info).toMatchObject({
    state: 'leased',
    returns: 0,
    attempts: 0,
    deliveries: 9,
  });
});

test('after reads that failed jobs are handed out one at a time, then twice as many each time', () => {
  const pause = new ReadPause(8);
  expect(pause.jobsMax(0)).toBe(8);
  pause.failed(0);
  expect([pause.jobsMax(99), pause.dueAtMs, pause.jobsMax(100)]).toEqual([0, 100, 1]);
  for (const jobsMax of [2, 4, 8]) {
    expect(pause.isOn).toBe(true);
    pause.succeeded();
    expect(pause.jobsMax(100)).toBe(jobsMax);
  }
  expect([pause.isOn, pause.dueAtMs]).toEqual([false, null]);
});

test('a pause is over at its end, though the clock is looked at just before and just after that', () => {
  const { driver } = withTenJobs();
  const tokens = driver.deliveries(1).map(({ token }) => token);
  driver.tell({ type: 'unread', tokens, reason: 'EMFILE' });
  expect(driver.machine.hasDeadlines, 'the time of a clock that is not looked at stands').toBe(
    true,
  );
  driver.advance(99);
  driver.now.monotonicMs += 2;
  expect(driver.machine.nextDueMs(driver.now)).toBe(0);
  driver.advance(0);
  expect(driver.deliveries(1)).toHaveLength(10);
});

test('a read that ends late changes nothing of a lease that another session has by then', () => {
  const { driver } = withTenJobs();
  const tokens = driver.deliveries(1).map(({ token }) => token);
  driver.request(1, 'Goodbye', {});
  driver.open(2);
  driver.subscribe(2, 10);
  const items = driver.deliveries(2);
  expect(items).toHaveLength(10);
  driver.tell({ type: 'unread', tokens, reason: 'EMFILE' });
  driver.tell({ type: 'unreadable', tokens });
  for (const { token } of items) expect(driver.settle(2, token)).toMatchObject({ state: 'done' });
});
