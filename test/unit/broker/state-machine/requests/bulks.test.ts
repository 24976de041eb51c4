/** Bulk operations: steps of bounded size, progress, a restart amid one, and whom they concern. */

import { describe, expect, test } from 'vitest';
import {
  decodeRecord,
  type RecordOf,
} from '../../../../../core/broker/state-machine/records/records.ts';
import { BulkStore } from '../../../../../core/broker/state-machine/state/bulks.ts';
import { errorCodes, type Message, type MessageName } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

type Bulk = Message<'BulkOk'>;

function range(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** A broker with jobs of queue `q` that are parked on `k`. */
function withParked(count: number, from = 1): Driver {
  const driver = new Driver();
  driver.open(1);
  enqueueParked(driver, range(count, from));
  return driver;
}

function enqueueParked(driver: Driver, ids: readonly number[]): void {
  for (let at = 0; at < ids.length; at += 1000) {
    driver.enqueue(
      1,
      ids.slice(at, at + 1000).map((id) => checkedJob({ id, more: { parkKey: 'k' } })),
    );
  }
}

function begin<N extends MessageName>(driver: Driver, name: N, fields: Message<N>): Bulk {
  return driver.request(1, name, fields) as Bulk;
}

function progress(driver: Driver, bulk: number): Bulk {
  return driver.request(1, 'Bulk', { bulk }) as Bulk;
}

/** Lets time stand still until nothing is left to do at once; returns jobs touched by each step. */
function finish(driver: Driver): number[] {
  const touched: number[] = [];
  for (let round = 0; driver.machine.nextDueMs(driver.now) === 0; round++) {
    if (round > 1000) throw new Error('it does not come to an end');
    const before = driver.log.length;
    driver.advance(0);
    touched.push(touchedIn(driver.log.slice(before)));
  }
  return touched;
}

function touchedIn(records: readonly Uint8Array[]): number {
  return records.map(decodeRecord).reduce((sum, record) => {
    return sum + ('ids' in record && record.kind !== 'forgotten' ? record.ids.length : 0);
  }, 0);
}

function readyCount(driver: Driver): number {
  const { queues } = driver.request(1, 'Stats', { queues: ['q'] }) as Message<'StatsOk'>;
  return queues[0]!.ready;
}

describe('a bulk operation', () => {
  test('that names what no queue and no code can be is refused, and nothing is logged', () => {
    const driver = withParked(1);
    const records = driver.log.length;
    const refused = { code: errorCodes.BAD_REQUEST.number };
    for (const queue of ['', 'Not a queue', 'q'.repeat(129)]) {
      expect(driver.request(1, 'RetryDead', { queue, errorCode: null })).toMatchObject(refused);
      expect(driver.request(1, 'Purge', { queue })).toMatchObject(refused);
    }
    const errorCode = 'x'.repeat(65);
    expect(driver.request(1, 'RetryDead', { queue: null, errorCode })).toMatchObject(refused);
    expect(driver.log.length).toBe(records);
  });

  test('that is small is done at once', () => {
    const driver = withParked(3);
    expect(begin(driver, 'Signal', { key: 'k' })).toEqual({ bulk: 1, touched: 3, done: true });
    expect(begin(driver, 'Signal', { key: 'k' })).toEqual({ bulk: 2, touched: 0, done: true });
  });

  test('takes many jobs in small steps, tells how far it is, and ends', () => {
    const driver = withParked(2500);
    const first = begin(driver, 'Signal', { key: 'k' });
    expect(first).toMatchObject({ bulk: 1, done: false });
    const steps = finish(driver);
    expect(Math.max(...steps)).toBeLessThanOrEqual(100);
    expect(progress(driver, 1)).toEqual({ bulk: 1, touched: 2500, done: true });
    expect(readyCount(driver)).toBe(2500);
  });

  test('goes on after a restart with what it had done already', () => {
    let driver = withParked(1000);
    begin(driver, 'Signal', { key: 'k' });
    driver.advance(0);
    driver.advance(0);
    driver = driver.restarted();
    driver.open(1);
    const { touched, done } = progress(driver, 1);
    expect(done).toBe(false);
    expect(touched).toBeGreaterThanOrEqual(200);
    finish(driver);
    expect(progress(driver, 1)).toEqual({ bulk: 1, touched: 1000, done: true });
  });

  test('touches no job twice, though a restart or compaction comes amid it', () => {
    for (const interruption of ['restart', 'compaction'] as const) {
      let driver = withParked(1000);
      driver.subscribe(1, 1);
      begin(driver, 'Signal', { key: 'k' });
      // One that was signalled is parked on the same key again, behind the walk.
      driver.settle(1, driver.deliveries(1)[0]!.token, 'throttled', { park: 'k' });
      driver.subscribe(1, 0);
      if (interruption === 'restart') {
        driver = driver.restarted();
        driver.open(1);
      } else driver.drop(0);
      finish(driver);
      expect(progress(driver, 1), interruption).toEqual({ bulk: 1, touched: 1000, done: true });
      expect(driver.stateOf(1)).toBe('parked');
    }
  });

  test('leaves newer jobs alone', () => {
    const driver = withParked(500);
    begin(driver, 'Signal', { key: 'k' });
    enqueueParked(driver, [5001]);
    finish(driver);
    expect(driver.stateOf(5001)).toBe('parked');
    expect(driver.stateOf(500)).toBe('ready');
  });

  test('leaves newer jobs alone also where it comes only later', () => {
    const driver = withParked(200);
    driver.enqueue(1, [checkedJob({ id: 1_001 })]);
    begin(driver, 'Purge', { queue: 'q' });
    driver.enqueue(1, [checkedJob({ id: 1_002 })]);
    finish(driver);
    expect(driver.stateOf(1_001)).toBe('cancelled');
    expect(driver.stateOf(1_002)).toBe('ready');
  });

  test('meets a job that becomes ready while it goes on', () => {
    const driver = withParked(200);
    driver.enqueue(1, [checkedJob({ id: 1_001, delayMs: 500 })]);
    driver.enqueue(
      1,
      range(200, 2_001).map((id) => checkedJob({ id, delayMs: 50_000 })),
    );
    begin(driver, 'Purge', { queue: 'q' });
    driver.advance(500);
    finish(driver);
    expect(driver.stateOf(1_001)).toBe('cancelled');
    expect(progress(driver, 1)).toMatchObject({ touched: 401, done: true });
  });

  test('leaves a newer job alone also when the last of its own is gone meanwhile', () => {
    const driver = new Driver([], { ...testOptions, keepMs: 1 });
    driver.open(1);
    enqueueParked(driver, range(350));
    driver.request(1, 'Cancel', { ids: [idOf(350)] });
    driver.advance(1_000);
    expect(driver.stateOf(350)).toBe('none');
    driver.request(1, 'Signal', { key: 'k' });
    enqueueParked(driver, [5001]);
    finish(driver);
    expect(driver.stateOf(5001)).toBe('parked');
    expect(progress(driver, 1)).toMatchObject({ touched: 349, done: true });
  });

  test('goes on beside one that began before it, in turn; both end', () => {
    const driver = withParked(400);
    driver.enqueue(
      1,
      range(400, 1_001).map((id) => checkedJob({ id, queue: 'other' })),
    );
    begin(driver, 'Signal', { key: 'k' });
    begin(driver, 'Purge', { queue: 'other' });
    driver.advance(0);
    driver.advance(0);
    for (const bulk of [1, 2]) {
      const { touched, done } = progress(driver, bulk);
      expect([touched > 40, touched < 400, done]).toEqual([true, true, false]);
    }
    finish(driver);
    expect(progress(driver, 1)).toMatchObject({ touched: 400, done: true });
    expect(progress(driver, 2)).toMatchObject({ touched: 400, done: true });
    expect([driver.stateOf(1), driver.stateOf(1_001)]).toEqual(['ready', 'cancelled']);
  });

  test('waits for no job that it does not concern, whatever it is', () => {
    const driver = withParked(1);
    for (const from of range(6).map((batch) => 1_000 * (1 + batch))) {
      const backlog = range(1_000, from).map((id) => checkedJob({ id, queue: 'backlog' }));
      driver.enqueue(1, backlog);
    }
    driver.enqueue(1, [checkedJob({ id: 2, queue: 'dead' })]);
    driver.subscribe(1, 1, ['dead']);
    driver.settle(1, driver.deliveries(1)[0]!.token, 'final', { errorCode: 'boom' });
    const done = { touched: 1, done: true };
    expect(begin(driver, 'Signal', { key: 'k' })).toMatchObject(done);
    expect(begin(driver, 'RetryDead', { queue: null, errorCode: 'boom' })).toMatchObject(done);
    driver.subscribe(1, 0);
    expect(begin(driver, 'Purge', { queue: 'q' })).toMatchObject(done);
    expect(begin(driver, 'RetryDead', { queue: 'backlog', errorCode: null })).toMatchObject({
      touched: 0,
      done: true,
    });
  });

  test('looks at dead jobs of its cause only, and at parked jobs of its key only', () => {
    const driver = withParked(3_000);
    enqueueParked(driver, []);
    driver.enqueue(1, [checkedJob({ id: 9_999, more: { parkKey: 'rare' } })]);
    const signalled = begin(driver, 'Signal', { key: 'rare' });
    expect(signalled).toMatchObject({ touched: 1, done: true });
  });

  test('takes no more jobs in one round than alone, however many are under way', () => {
    const driver = withParked(2_000);
    driver.enqueue(
      1,
      range(1_000, 5_001).map((id) => checkedJob({ id, queue: 'other' })),
    );
    begin(driver, 'Signal', { key: 'k' });
    for (const _ of range(20)) begin(driver, 'Purge', { queue: 'other' });
    const steps = finish(driver);
    expect(Math.max(...steps)).toBeLessThanOrEqual(100);
    expect(progress(driver, 1)).toMatchObject({ touched: 2_000, done: true });
  });

  test('is refused above what one session may have under way, and not to others', () => {
    const driver = withParked(1_000);
    driver.open(2);
    driver.enqueue(
      1,
      range(1_000, 5_001).map((id) => checkedJob({ id, queue: 'other' })),
    );
    // The events of one read: nothing else happens between them.
    const ask = (connection: number): unknown => {
      const request = { name: 'Purge', correlationId: 0, fields: { queue: 'other' } } as const;
      return { type: 'request', connection, request };
    };
    driver.tellAll(range(101).map(() => ask(1)) as never);
    expect(driver.sent.at(-1)?.fields).toMatchObject({ code: errorCodes.QUEUE_FULL.number });
    expect(begin(driver, 'Signal', { key: 'k' })).not.toHaveProperty('bulk');
    expect(driver.request(2, 'Signal', { key: 'k' })).toMatchObject({ bulk: 101 });
    finish(driver);
    expect(begin(driver, 'Signal', { key: 'k' })).toMatchObject({ done: true });
  });

  test('keeps its number for itself, also when compaction and a restart came between', () => {
    let driver = withParked(1);
    begin(driver, 'Signal', { key: 'k' });
    const upTo = driver.log.length;
    driver.compact(upTo);
    driver.drop(upTo);
    driver = driver.restarted();
    driver.open(1);
    expect(progress(driver, 1)).toEqual({ bulk: 1, touched: 1, done: true });
    expect(begin(driver, 'Signal', { key: 'k' }).bulk).toBe(2);
  });

  test('can be asked about while it is one of the last hundred that ended', () => {
    const driver = withParked(0);
    for (let count = 0; count < 101; count++) begin(driver, 'Signal', { key: 'k' });
    expect(progress(driver, 1)).toMatchObject({ code: errorCodes.NOT_FOUND.number });
    expect(progress(driver, 2)).toMatchObject({ done: true });
    expect(progress(driver, 102)).toMatchObject({ code: errorCodes.NOT_FOUND.number });
  });
});

test('what compaction says again names an operation that ends amid it', () => {
  const store = new BulkStore();
  const what = {
    action: 'signal',
    queue: null,
    key: 'k',
    seqMax: 9,
    touched: 0,
    nextSeq: 1,
  } as const;
  for (const bulk of [1, 2, 3]) store.start({ kind: 'bulkStarted', bulk, ...what, atMs: 1 });
  const after = new BulkStore();
  const take = (record: RecordOf<'bulkStarted'> | RecordOf<'bulkEnded'>): void => {
    if (record.kind === 'bulkStarted') after.start({ ...record });
    else after.end(record.bulk);
  };
  let isFirst = true;
  for (const record of store.rewriteRecords()) {
    take(record);
    if (!isFirst) continue;
    isFirst = false;
    store.end(3);
    take({ kind: 'bulkEnded', bulk: 3 });
  }
  expect([1, 2, 3].map((bulk) => after.get(bulk)?.done)).toEqual([false, false, true]);
  expect(after.newest).toBe(3);
});

describe('dead jobs', () => {
  test('that die again while they are brought back, for another cause, are not brought back twice', () => {
    const driver = new Driver();
    driver.open(1);
    const ids = range(1_000);
    driver.enqueue(
      1,
      ids.map((id) => checkedJob({ id })),
    );
    driver.subscribe(1, ids.length);
    for (const [index, { token }] of driver.deliveries(1).entries()) {
      driver.settle(1, token, 'final', { errorCode: index === 999 ? 'b' : 'a' });
    }
    driver.subscribe(1, 0);
    driver.advance(1);
    begin(driver, 'RetryDead', { queue: 'q', errorCode: null });
    driver.advance(1);
    // One that was brought back stands where the walk comes to last.
    driver.subscribe(1, 1);
    const [item] = driver.deliveries(1);
    driver.subscribe(1, 0);
    expect(driver.settle(1, item!.token, 'final', { errorCode: 'b' }).state).toBe('dead');
    expect(progress(driver, 1).done).toBe(false);
    finish(driver);
    expect(progress(driver, 1)).toEqual({ bulk: 1, touched: 1_000, done: true });
    expect(readyCount(driver)).toBe(999);
  });

  test('are brought back by queue and by cause, with their counters at zero', () => {
    const driver = new Driver();
    driver.open(1);
    const dead = (id: number, queue: string, errorCode: string): void => {
      driver.enqueue(1, [checkedJob({ id, queue })]);
      driver.subscribe(1, 1, [queue]);
      driver.settle(1, driver.deliveries(1)[0]!.token, 'final', { errorCode });
    };
    dead(1, 'q', 'a');
    dead(2, 'q', 'b');
    dead(3, 'r', 'a');
    driver.subscribe(1, 0);
    expect(begin(driver, 'RetryDead', { queue: 'q', errorCode: 'a' })).toMatchObject({
      touched: 1,
    });
    expect([1, 2, 3].map((id) => driver.stateOf(id))).toEqual(['ready', 'dead', 'dead']);
    expect(begin(driver, 'RetryDead', { queue: null, errorCode: 'a' })).toMatchObject({
      touched: 1,
    });
    expect(begin(driver, 'RetryDead', { queue: null, errorCode: null })).toMatchObject({
      touched: 1,
    });
    expect([1, 2, 3].map((id) => driver.stateOf(id))).toEqual(['ready', 'ready', 'ready']);
    expect(driver.infoOf(1)).toMatchObject({ attempts: 0, crashes: 0, returns: 0 });
  });
});

test('purge takes what waits in any way and nothing else', () => {
  const driver = new Driver();
  driver.open(1);
  driver.enqueue(1, [
    checkedJob({ id: 1 }),
    checkedJob({ id: 2 }),
    checkedJob({ id: 3, delayMs: 5000 }),
    checkedJob({ id: 4, more: { parkKey: 'k' } }),
    checkedJob({ id: 5, queue: 'other' }),
  ]);
  driver.subscribe(1, 1);
  expect(begin(driver, 'Purge', { queue: 'q' })).toMatchObject({ touched: 3, done: true });
  expect(range(5).map((id) => driver.stateOf(id))).toEqual([
    'leased',
    'cancelled',
    'cancelled',
    'cancelled',
    'ready',
  ]);
  expect(driver.restarted().stateOf(4)).toBe('cancelled');
  expect(driver.request(1, 'Purge', { queue: 'NOT A QUEUE' })).toMatchObject({
    code: errorCodes.BAD_REQUEST.number,
  });
  expect(driver.request(1, 'Signal', { key: 'two words' })).toMatchObject({
    code: errorCodes.BAD_REQUEST.number,
  });
  expect(driver.settle(1, { id: idOf(1), epoch: 1, delivery: 1 })).toMatchObject({ state: 'done' });
});
