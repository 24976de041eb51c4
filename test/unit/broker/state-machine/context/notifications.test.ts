/** What the core tells: to watchers, to those who look at jobs, and to sessions that come back. */

import { describe, expect, test } from 'vitest';
import { sessionMark } from '../../../../../core/broker/state-machine/context/job-view.ts';
import { errorCodes, type Message, noUsage, pieceAt } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

function connected(options = testOptions): Driver {
  const driver = new Driver([], options);
  driver.open(1);
  return driver;
}

/** States that the watcher on connection 2 heard of, by job. */
function heard(driver: Driver): [string, string][] {
  return driver.sent
    .filter(({ connection, name }) => connection === 2 && name === 'JobEvents')
    .flatMap(({ fields }) => (fields as Message<'JobEvents'>).jobs)
    .map(({ id, state }) => [id, state]);
}

test('who reads late is told all of a job that compaction moved or that is forgotten meanwhile', () => {
  const driver = connected({ ...testOptions, keepMs: 1_000 });
  driver.open(2);
  driver.request(2, 'Watch', { queues: [] });
  driver.enqueue(1, [checkedJob({ id: 1 })]);
  driver.sent = [];
  // So much is on its way to it that it gets no more.
  const unreadBytes = 2 * 1024 * 1024;
  driver.machine.unsent.add(2, unreadBytes);
  driver.request(2, 'Wait', { id: idOf(1) });
  driver.subscribe(1, 1);
  driver.settle(1, driver.deliveries(1)[0]!.token, 'final', { errorCode: 'why', note: 'note' });
  driver.subscribe(1, 0);
  driver.enqueue(1, [checkedJob({ id: 2 })]);
  driver.request(1, 'Cancel', { ids: [idOf(2)] });
  const upTo = driver.log.length;
  while (!driver.machine.isFullyRewritten(upTo)) driver.compact(upTo);
  driver.drop(upTo);
  expect(driver.sent.filter(({ connection }) => connection === 2)).toEqual([]);
  driver.advance(2_000);
  driver.machine.unsent.remove(2, unreadBytes);
  driver.advance(0);
  const told = driver.sent.find(({ name }) => name === 'WaitOk')?.fields as Message<'WaitOk'>;
  expect(told.job).toMatchObject({ errorCode: 'why', note: 'note', agent: 'agent' });
  expect(heard(driver)).toEqual([
    [idOf(1), 'leased'],
    [idOf(1), 'dead'],
    [idOf(2), 'ready'],
    [idOf(2), 'cancelled'],
  ]);
});

describe('a watcher', () => {
  test('hears when a delay ends', () => {
    const driver = connected();
    driver.open(2);
    driver.request(2, 'Watch', { queues: [] });
    driver.enqueue(1, [checkedJob({ delayMs: 500 })]);
    driver.advance(500);
    expect(heard(driver).map(([, state]) => state)).toEqual(['delayed', 'ready']);
  });

  test('hears nothing of a journal, because no state changes', () => {
    const driver = connected();
    driver.open(2);
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    const [delivery] = driver.deliveries(1);
    driver.request(2, 'Watch', { queues: [] });
    driver.request(1, 'JournalPut', {
      token: delivery!.token,
      callHash: new Uint8Array(32),
      value: { inline: new Uint8Array(3), blob: null },
      charge: null,
    });
    expect(heard(driver)).toEqual([]);
  });

  test('hears of expiry, bulk operations and follow-up jobs', () => {
    const driver = connected();
    const wallMs = driver.now.wallMs;
    driver.enqueue(1, [
      checkedJob({ id: 1, queue: 'x', more: { expiresAtMs: wallMs + 50 } }),
      checkedJob({ id: 2, queue: 'x', more: { parkKey: 'k' } }),
    ]);
    driver.open(2);
    driver.request(2, 'Watch', { queues: ['x'] });
    driver.request(1, 'Signal', { key: 'k' });
    driver.request(1, 'Purge', { queue: 'x' });
    driver.request(1, 'Retry', { ids: [idOf(1)] });
    expect(heard(driver)).toEqual([
      [idOf(2), 'ready'],
      [idOf(1), 'cancelled'],
      [idOf(2), 'cancelled'],
    ]);
  });
});

test('a page of no rows is refused, as it would never end; one of too many is cut', () => {
  const driver = connected();
  driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2 })]);
  const page = (limit: number) =>
    driver.request(1, 'List', { queue: null, state: null, before: 0, limit });
  expect(page(0)).toMatchObject({ code: errorCodes.BAD_REQUEST.number });
  expect((page(1) as Message<'ListOk'>).jobs).toHaveLength(1);
  expect((page(0xffff_ffff) as Message<'ListOk'>).jobs).toHaveLength(2);
});

test('long answers are encoded in pieces of few rows', () => {
  const driver = connected();
  for (let first = 0; first < 600; first += 200) {
    const jobs = Array.from({ length: 200 }, (_, index) =>
      checkedJob({ id: first + index + 1, queue: `q${first + index}` }),
    );
    driver.enqueue(1, jobs);
  }
  const list = { queue: null, state: null, before: 0, limit: 1000 };
  const { jobs } = driver.request(1, 'List', list) as Message<'ListOk'>;
  const { queues } = driver.request(1, 'Stats', { queues: [] }) as Message<'StatsOk'>;
  for (const rows of [jobs, queues]) {
    expect(rows).toHaveLength(600);
    for (let at = 0; at < rows.length; at += pieceAt(rows, at)!.count) {
      expect(pieceAt(rows, at)?.count).toBeLessThanOrEqual(250);
    }
  }
});

describe('inspect', () => {
  test('finds nothing for 26 characters that are no id, and the broker goes on', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob()]);
    const fields = { idPrefix: 'z'.repeat(26), withJob: false };
    expect(driver.request(1, 'Inspect', fields)).toEqual({ jobs: [] });
    expect(driver.stateOf(1)).toBe('ready');
  });

  test('tells the last ten ends of leases, newest first, and whose they were', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob({ attemptsMax: 20 })]);
    driver.subscribe(1, 1);
    for (let count = 1; count <= 12; count++) {
      const [delivery] = driver.deliveries(1);
      driver.settle(1, delivery!.token, 'retry', { errorCode: `e${count}` });
    }
    const fields = { idPrefix: idOf(1), withJob: true };
    const { jobs } = driver.request(1, 'Inspect', fields) as Message<'InspectOk'>;
    const history = jobs[0]!.history;
    expect(history.map(({ errorCode }) => errorCode)).toEqual(
      Array.from({ length: 10 }, (_, index) => `e${12 - index}`),
    );
    expect(history.map(({ delivery }) => delivery)).toEqual(
      Array.from({ length: 10 }, (_, index) => 12 - index),
    );
    expect(history[0]).toMatchObject({
      session: sessionMark(idOf(10_001), testOptions.newHash),
      end: 'retry',
    });
  });

  test('tells of a job that expired after a failure when and why it died', () => {
    const driver = connected();
    const expiresAtMs = driver.now.wallMs + 100;
    driver.enqueue(1, [checkedJob({ attemptsMax: 9, more: { expiresAtMs } })]);
    driver.subscribe(1, 1);
    const [delivery] = driver.deliveries(1);
    driver.advance(200);
    driver.settle(1, delivery!.token, 'retry', { errorCode: 'boom', errorMessage: 'it broke' });
    const told = { state: 'dead', errorCode: 'expired', errorMessage: 'it expired; it broke' };
    expect(driver.infoOf(1)).toMatchObject(told);
    driver.compact(driver.log.length);
    expect(driver.infoOf(1)).toMatchObject(told);
  });

  test('adds up usage without a call, such as tokens that were estimated', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    const usage = { ...noUsage, inputTokens: 7, costMicros: 3, estimated: true };
    driver.settle(1, driver.deliveries(1)[0]!.token, 'retry', { usage });
    driver.settle(1, driver.deliveries(1)[0]!.token, 'ack');
    expect(driver.infoOf(1).usage).toEqual(usage);
  });
});

describe('result', () => {
  test('is what came with the ack, also after a restart and compaction; else BAD_STATE', () => {
    let driver = connected();
    driver.enqueue(1, [checkedJob()]);
    expect(driver.request(1, 'Result', { id: idOf(1) })).toMatchObject({
      code: errorCodes.BAD_STATE.number,
    });
    driver.subscribe(1, 1);
    const inline = new Uint8Array([1, 2, 3]);
    const result = { inline, blob: null };
    driver.settle(1, driver.deliveries(1)[0]!.token, 'ack', { result });
    for (const change of ['none', 'compact', 'restart'] as const) {
      if (change === 'compact') {
        const upTo = driver.log.length;
        driver.compact(upTo);
        driver.drop(upTo);
      }
      if (change === 'restart') {
        driver = driver.restarted();
        driver.open(1);
      }
      expect(driver.request(1, 'Result', { id: idOf(1) })).toEqual({ value: result });
    }
    expect(driver.request(1, 'Result', { id: idOf(2) })).toMatchObject({
      code: errorCodes.NOT_FOUND.number,
    });
  });
});

test('a session that names an old delivery of a job gives the new one back, uncharged', () => {
  const driver = connected();
  driver.enqueue(1, [checkedJob()]);
  driver.subscribe(1, 1);
  const [old] = driver.deliveries(1);
  driver.advance(testOptions.leaseMs);
  expect(driver.deliveries(1)).toHaveLength(1);
  driver.close(1);
  driver.open(2, 1);
  const { items } = driver.request(2, 'Resume', { tokens: [old!.token] }) as Message<'ResumeOk'>;
  expect(items[0]?.code).toBe(errorCodes.STALE_LEASE.number);
  // The first lease ran out, which is a crash; what was never received is none.
  expect(driver.infoOf(1)).toMatchObject({
    state: 'ready',
    crashes: 1,
    errorCode: 'never_received',
  });
});

describe('jobs whose bytes cannot be read', () => {
  test('are dead with `damaged` instead of delivered; the others of the frame arrive', () => {
    const driver = connected();
    driver.enqueue(
      1,
      [1, 2, 3].map((id) => checkedJob({ id })),
    );
    const of2 = driver.log.findIndex((record) => Buffer.from(record).includes(rawId(2)));
    driver.log.splice(of2, 1, undefined as never);
    driver.subscribe(1, 3);
    expect(driver.deliveries(1).map(({ token }) => token.id)).toEqual([idOf(1), idOf(3)]);
    expect(driver.infoOf(2)).toMatchObject({ state: 'dead', errorCode: 'damaged', attempts: 0 });
    expect(driver.infoOf(1)).toMatchObject({ state: 'leased' });
  });
});

function rawId(number: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE((number * 2654435761) >>> 0, 0);
  bytes.writeUInt32BE(number, 12);
  return bytes;
}
