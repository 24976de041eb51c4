/** Names of queues: how many there may be, and that each is given back when nothing of it is left. */

import { expect, test } from 'vitest';
import { errorCodes, type Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const options = { ...testOptions, queuesMax: 3, keepMs: 1_000 };
const full = { code: errorCodes.QUEUE_FULL.number };

function open(): Driver {
  const driver = new Driver([], options);
  driver.open(1);
  return driver;
}

let connections = 1;

/** A connection with a session of its own, which has named no queue yet. */
function newcomer(driver: Driver): number {
  connections += 1;
  driver.open(connections);
  return connections;
}

function queuesOf(driver: Driver): string[] {
  const { queues } = driver.request(1, 'Stats', { queues: [] }) as Message<'StatsOk'>;
  return queues.map(({ queue }) => queue);
}

function enqueue(driver: Driver, id: number, queue: string, connection = newcomer(driver)): string {
  return driver.enqueue(connection, [checkedJob({ id, queue })])[0]!.outcome;
}

test('a queue whose last job was forgotten gives its name back, without a restart', () => {
  const driver = open();
  for (let id = 1; id <= 30; id++) {
    expect(enqueue(driver, id, `customer-${id}`)).toBe('created');
    driver.request(1, 'Cancel', { ids: [idOf(id)] });
    driver.advance(2_000);
  }
  expect(queuesOf(driver)).toEqual([]);
  expect(queuesOf(withClient(driver.restarted(options)))).toEqual([]);
});

function withClient(driver: Driver): Driver {
  driver.open(1);
  return driver;
}

test('jobs stand in their own queue when another had its number before', () => {
  const driver = open();
  enqueue(driver, 1, 'a');
  enqueue(driver, 2, 'b');
  driver.request(1, 'Cancel', { ids: [idOf(1)] });
  driver.advance(2_000);
  enqueue(driver, 3, 'c');
  enqueue(driver, 4, 'a');
  expect([2, 3, 4].map((id) => driver.infoOf(id).queue)).toEqual(['b', 'c', 'a']);
  driver.subscribe(1, 5, ['c']);
  expect(driver.deliveries(1).map(({ token }) => token.id)).toEqual([idOf(3)]);
});

test('pauses and settings of queues without jobs take no name that jobs may need', () => {
  const driver = open();
  for (const queue of ['x', 'y', 'z']) {
    expect(driver.request(newcomer(driver), 'Pause', { queue })).toEqual({});
  }
  expect(driver.request(1, 'Pause', { queue: 'one-more' })).toMatchObject(full);
  const settings = { jobsMax: 1, bytesMax: 0, keepMs: 0, keepJobs: 0 };
  const configured = driver.request(1, 'ConfigureQueue', { queue: 'one-more', ...settings });
  expect(configured).toMatchObject(full);
  for (const [index, queue] of ['a', 'b', 'c'].entries()) {
    expect(enqueue(driver, index + 1, queue)).toBe('created');
  }
  // A queue that holds jobs can always be paused, and any can be resumed.
  expect(driver.request(1, 'Pause', { queue: 'a' })).toEqual({});
  for (const queue of ['x', 'y', 'z', 'nobody']) {
    expect(driver.request(1, 'Unpause', { queue })).toEqual({});
  }
  expect(queuesOf(driver)).toEqual(['a', 'b', 'c']);
  expect(driver.request(1, 'Pause', { queue: 'x' })).toEqual({});
});

test('one session names no more queues than it leaves for others, by jobs or by settings', () => {
  const driver = new Driver([], { ...options, queuesMax: 8 });
  driver.open(1);
  const names = Array.from({ length: 8 }, (_, index) => `n${index}`);
  const outcomes = names.map((queue, index) => enqueue(driver, index + 1, queue, 1));
  expect(outcomes).toEqual([...Array(4).fill('created'), ...Array(4).fill('refused')]);
  const [refused] = driver.enqueue(1, [checkedJob({ id: 30, queue: 'more' })]);
  expect(refused?.message).toBe(
    'this session has named 4 queues and 4 more are free for all, which are kept for others: use queues that are there',
  );
  const batch = names.slice(4).map((queue, index) => checkedJob({ id: 10 + index, queue }));
  const other = newcomer(driver);
  expect(driver.enqueue(other, batch).map(({ outcome }) => outcome)).toEqual([
    'created',
    'created',
    'refused',
    'refused',
  ]);
  expect(enqueue(driver, 20, 'newcomer')).toBe('created');
  // A name that was given back counts for nobody.
  driver.request(1, 'Cancel', { ids: [1, 2, 3].map(idOf) });
  driver.advance(2_000);
  expect(enqueue(driver, 21, 'n0', 1)).toBe('created');
  const pauser = newcomer(driver);
  const pauses = names.map((_, index) => driver.request(pauser, 'Pause', { queue: `p${index}` }));
  expect(pauses.map((answer) => 'code' in (answer as object))).toEqual([
    ...Array(4).fill(false),
    ...Array(4).fill(true),
  ]);
  expect(driver.request(newcomer(driver), 'Pause', { queue: 'mine' })).toEqual({});
});

test('settings that are all 0 leave nothing behind, and nothing in the log for a queue that is unknown', () => {
  const driver = open();
  const records = driver.log.length;
  const none = { jobsMax: 0, bytesMax: 0, keepMs: 0, keepJobs: 0 };
  expect(driver.request(1, 'ConfigureQueue', { queue: 'x', ...none })).toEqual({});
  expect(driver.log.length).toBe(records);
  driver.request(1, 'ConfigureQueue', { queue: 'x', ...none, jobsMax: 5 });
  expect(queuesOf(driver)).toEqual(['x']);
  driver.request(1, 'ConfigureQueue', { queue: 'x', ...none });
  expect(queuesOf(driver)).toEqual([]);
  expect(queuesOf(withClient(driver.restarted(options)))).toEqual([]);
});

test('a batch is judged by the names that are new, not by those that it names', () => {
  const driver = open();
  enqueue(driver, 1, 'a');
  enqueue(driver, 2, 'b');
  const batch = [
    checkedJob({ id: 3, queue: 'a' }),
    checkedJob({ id: 4, queue: 'b' }),
    checkedJob({ id: 5, queue: 'c' }),
    checkedJob({ id: 6, queue: 'c' }),
  ];
  expect(driver.enqueue(newcomer(driver), batch, true).map(({ outcome }) => outcome)).toEqual(
    batch.map(() => 'created'),
  );
  expect(driver.enqueue(newcomer(driver), [checkedJob({ id: 7, queue: 'd' })])).toMatchObject([
    full,
  ]);
});

test('settings that change while compaction says them again stay as they were set last', () => {
  const driver = new Driver();
  driver.open(1);
  const set = (queue: string, jobsMax: number): void => {
    driver.request(1, 'ConfigureQueue', { queue, jobsMax, bytesMax: 0, keepMs: 0, keepJobs: 0 });
  };
  const names = Array.from({ length: 300 }, (_, index) => `q${index}`);
  for (const queue of names) {
    driver.request(1, 'Pause', { queue });
    set(queue, 1);
  }
  // A portion ends between the pause of a queue and its settings.
  driver.tell({ type: 'rewriteSmallState', isFirst: true });
  for (const queue of names) set(queue, 2);
  driver.tell({ type: 'rewriteSmallState', isFirst: false });
  const { queues } = driver.request(1, 'Stats', { queues: names }) as Message<'StatsOk'>;
  expect(queues.filter(({ jobsMax }) => jobsMax !== 2)).toEqual([]);
});
