import { describe, expect, test } from 'vitest';
import { directives, errorCodes, type Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const stale = errorCodes.STALE_LEASE.number;

function withLeases(count: number): { driver: Driver; tokens: Message<'Resume'>['tokens'] } {
  const driver = new Driver();
  driver.open(1);
  driver.enqueue(
    1,
    Array.from({ length: count }, (_, index) => checkedJob({ id: index + 1 })),
  );
  driver.subscribe(1, count);
  return { driver, tokens: driver.deliveries(1).map((delivery) => delivery.token) };
}

function codes(answer: unknown): number[] {
  return (answer as Message<'ResumeOk'>).items.map((item) => item.code);
}

describe('sessions', () => {
  test('a session that comes back within its window keeps its leases and can settle them', () => {
    const { driver, tokens } = withLeases(3);
    driver.close(1);
    driver.advance(testOptions.resumeMs.unix - 1);
    driver.open(2, 1);
    expect(codes(driver.request(2, 'Resume', { tokens }))).toEqual([0, 0, 0]);
    driver.advance(testOptions.leaseMs - 1);
    expect(driver.settle(2, tokens[0]!)).toMatchObject({ code: 0, state: 'done' });
  });

  test('a session that comes back too late has lost its leases; each job counts a crash, not an attempt', () => {
    const { driver, tokens } = withLeases(2);
    driver.close(1);
    driver.advance(testOptions.resumeMs.unix);
    expect(driver.infoOf(1)).toMatchObject({ state: 'ready', crashes: 1, attempts: 0 });
    driver.open(2, 1);
    expect(codes(driver.request(2, 'Resume', { tokens }))).toEqual([stale, stale]);
  });

  test('a job with a crash behind it is delivered isolated; a crash that its consumer reports there is charged', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob({ attemptsMax: 2 })]);
    driver.subscribe(1, 1);
    const seen: [boolean, number][] = [];
    for (let crash = 0; crash < 3; crash++) {
      const [delivery] = driver.deliveries(1);
      seen.push([delivery!.isolated, delivery!.attempt]);
      driver.settle(1, delivery!.token, 'crashed');
    }
    expect(seen).toEqual([
      [false, 1],
      [true, 1],
      [true, 2],
    ]);
    expect(driver.infoOf(1)).toMatchObject({ state: 'dead', attempts: 2, crashes: 3 });
  });

  test.each(['vanishes', 'lets the lease run out'])(
    'a consumer that %s charges nobody an attempt, until a bound far above the attempts ends it',
    (how) => {
      const driver = new Driver([], { ...testOptions, crashesMax: 20 });
      driver.open(1);
      driver.enqueue(1, [checkedJob({ attemptsMax: 2 })]);
      for (let life = 2; driver.stateOf(1) !== 'dead'; life++) {
        driver.open(life);
        driver.subscribe(life, 1);
        expect(driver.deliveries(life)).toMatchObject([{ attempt: 1, crashes: life - 2 }]);
        if (how === 'vanishes') driver.close(life);
        else driver.subscribe(life, 0);
        const { leaseMs, resumeMs } = testOptions;
        driver.advance(how === 'vanishes' ? resumeMs.unix : leaseMs);
      }
      expect(driver.infoOf(1)).toMatchObject({
        attempts: 0,
        crashes: 21,
        errorCode: 'crashes_exhausted',
      });
    },
  );

  test('goodbye hands leases back at once and charges nothing', () => {
    const { driver } = withLeases(2);
    driver.request(1, 'Goodbye', {});
    expect(driver.infoOf(1)).toMatchObject({ state: 'ready', crashes: 0, attempts: 0, returns: 1 });
    expect(driver.sent.find((sent) => (sent as { thenClose?: boolean }).thenClose)).toBeDefined();
  });

  test('a delivery that the session does not name when it resumes is handed back', () => {
    const { driver, tokens } = withLeases(2);
    driver.close(1);
    driver.open(2, 1);
    driver.request(2, 'Resume', { tokens: [tokens[0]!] });
    expect(driver.stateOf(1)).toBe('leased');
    expect(driver.infoOf(2)).toMatchObject({ state: 'ready', returns: 1, crashes: 0 });
  });

  test('a session that is back gets nothing new before it subscribes again', () => {
    const { driver, tokens } = withLeases(1);
    driver.enqueue(1, [checkedJob({ id: 50 })]);
    driver.close(1);
    driver.open(2, 1);
    expect(driver.deliveries(2)).toEqual([]);
    driver.request(2, 'Resume', { tokens });
    driver.subscribe(2, 2);
    expect(driver.deliveries(2).map((delivery) => delivery.token.id)).toEqual([idOf(50)]);
  });

  test('a second connection takes the session over and the first is told', () => {
    const { driver, tokens } = withLeases(1);
    driver.open(2, 1);
    const told = driver.sent.find((sent) => sent.connection === 1 && sent.name === 'Error');
    expect(told?.fields).toMatchObject({ code: errorCodes.SESSION_IN_USE.number });
    driver.close(1);
    driver.advance(testOptions.resumeMs.unix);
    expect(driver.settle(2, tokens[0]!).code).toBe(0);
  });

  test('a lease without renewal ends at its deadline; a renewed one goes on', () => {
    const { driver, tokens } = withLeases(2);
    driver.advance(testOptions.leaseMs - 1);
    driver.subscribe(1, 0);
    driver.request(1, 'Extend', { tokens: [tokens[0]!] });
    driver.advance(testOptions.leaseMs - 1);
    expect([driver.stateOf(1), driver.stateOf(2)]).toEqual(['leased', 'ready']);
    driver.advance(1);
    expect(driver.infoOf(1)).toMatchObject({
      state: 'ready',
      crashes: 1,
      errorCode: 'lease_expired',
    });
  });

  test('the holder of a cancelled job hears it at the next renewal', () => {
    const { driver, tokens } = withLeases(1);
    driver.open(2);
    driver.request(2, 'Cancel', { ids: [idOf(1)] });
    const answer = driver.request(1, 'Extend', { tokens }) as Message<'ExtendOk'>;
    expect(answer.items).toEqual([{ code: 0, directive: 'cancel' }]);
    expect(Object.keys(directives)).toContain('cancel');
  });
});

describe('restart', () => {
  test('leases survive the broker: the session resumes within one lease time and settles', () => {
    const { driver, tokens } = withLeases(16);
    const next = driver.restarted();
    next.open(1);
    expect(codes(next.request(1, 'Resume', { tokens }))).toEqual(tokens.map(() => 0));
    for (const token of tokens)
      expect(next.settle(1, token)).toMatchObject({ code: 0, state: 'done' });
  });

  test('a session that never comes back after a restart loses its leases after one lease time', () => {
    const { driver } = withLeases(1);
    const next = driver.restarted();
    next.advance(testOptions.leaseMs - 1);
    expect(next.stateOf(1)).toBe('leased');
    next.advance(1);
    expect(next.infoOf(1)).toMatchObject({ state: 'ready', crashes: 1 });
  });

  test('the epoch grows with every start and is told in tokens', () => {
    const { driver } = withLeases(1);
    const third = driver.restarted().restarted();
    third.open(5);
    third.enqueue(5, [checkedJob({ id: 77 })]);
    third.subscribe(5, 1);
    expect(third.deliveries(5)[0]?.token.epoch).toBe(3);
  });

  test('replay gives back the very same state', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(
      1,
      Array.from({ length: 8 }, (_, index) =>
        checkedJob({ id: index + 1, delayMs: index === 7 ? 9000 : 0 }),
      ),
    );
    driver.subscribe(1, 5);
    const outcomes = ['ack', 'final', 'retry', 'throttled'] as const;
    driver
      .deliveries(1)
      .slice(0, 4)
      .forEach(({ token }, index) => {
        driver.settle(1, token, outcomes[index], { delayMs: 3000, note: `n${index}` });
      });
    driver.request(1, 'Cancel', { ids: [idOf(6)] });
    const rows = (of: Driver): unknown => {
      of.open(2);
      return of.request(2, 'List', { queue: null, state: null, before: 0, limit: 100 });
    };
    expect(rows(driver.restarted())).toEqual(rows(driver));
  });

  test('a replayed queue keeps the order in which its jobs became ready', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob({ id: 1, delayMs: 500 })]);
    driver.advance(10);
    driver.enqueue(1, [checkedJob({ id: 2 })]);
    driver.advance(1000);
    driver.enqueue(1, [checkedJob({ id: 3 })]);
    const next = driver.restarted();
    next.advance(0);
    next.open(1);
    next.subscribe(1, 3);
    const order = next.deliveries(1).map((delivery) => delivery.token.id);
    expect(order).toEqual([idOf(2), idOf(1), idOf(3)]);
  });
});

test('the holder of a cancelled job is told at once, on the connection that it has now', () => {
  const { driver, tokens } = withLeases(2);
  driver.close(1);
  driver.open(2, 1);
  driver.request(2, 'Resume', { tokens });
  driver.open(3);
  driver.request(3, 'Cancel', { ids: [idOf(1)] });
  const told = driver.sent.filter((sent) => sent.name === 'Directives');
  expect(told).toMatchObject([
    { connection: 2, fields: { items: [{ token: tokens[0], directive: 'cancel' }] } },
  ]);
});
