/** What only the session may do that has or had a lease, and that nobody learns another's session id. */

import { describe, expect, test } from 'vitest';
import { errorCodes, type LeaseToken, type Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const stale = errorCodes.STALE_LEASE.number;
const hash = new Uint8Array(32).fill(5);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Session 1 holds job 1; session 2 is connected and knows the token, which is no secret. */
function held(): { driver: Driver; token: LeaseToken } {
  const driver = new Driver();
  driver.open(1);
  driver.open(2);
  driver.enqueue(1, [checkedJob({ id: 1, attemptsMax: 1000 })]);
  driver.subscribe(1, 1);
  return { driver, token: takeOne(driver, 1) };
}

function takeOne(driver: Driver, connection: number): LeaseToken {
  const [delivery] = driver.deliveries(connection);
  if (delivery === undefined) throw new Error(`nothing was delivered to ${connection}`);
  return delivery.token;
}

/** The value that stands after a put, or the code of the refusal. */
function put(driver: Driver, connection: number, token: LeaseToken, text: string): string | number {
  const value = { inline: utf8(text), blob: null };
  const answer = driver.request(connection, 'JournalPut', {
    token,
    callHash: hash,
    value,
    charge: null,
  }) as Message<'JournalOk'> | Message<'Error'>;
  if ('code' in answer) return answer.code;
  return new TextDecoder().decode(answer.value?.inline ?? new Uint8Array(0));
}

function journalRecords({ log }: Driver): number {
  return log.filter(([kind]) => kind === 21).length;
}

describe('an entry of a journal', () => {
  test('is not taken from a session that never had the lease, whatever it knows', () => {
    const { driver, token } = held();
    expect(put(driver, 2, token, 'forged')).toBe(stale);
    expect(put(driver, 2, { ...token, delivery: token.delivery + 1 }, 'forged')).toBe(stale);
    expect(journalRecords(driver)).toBe(0);
    expect(put(driver, 1, token, 'true')).toBe('true');
    expect(put(driver, 2, token, 'forged')).toBe(stale);
  });

  test('is taken from the session that lost the lease, while and after another has the job', () => {
    const { driver, token } = held();
    driver.subscribe(1, 0);
    driver.advance(testOptions.leaseMs);
    driver.subscribe(2, 1);
    const newer = takeOne(driver, 2);
    expect(newer.delivery).toBe(token.delivery + 1);
    expect(put(driver, 2, token, 'forged')).toBe(stale);
    expect(put(driver, 1, newer, 'forged')).toBe(stale);
    expect(put(driver, 1, token, 'paid')).toBe('paid');
    expect(put(driver, 2, newer, 'later')).toBe('paid');
    driver.settle(2, newer, 'final');
    expect(put(driver, 1, token, 'again')).toBe('paid');
    expect(put(driver, 2, token, 'forged')).toBe(stale);
  });

  test.each([
    ['a restart', (driver: Driver) => driver.restarted()],
    [
      'compaction and a restart',
      (driver: Driver) => {
        const upTo = driver.log.length;
        while (!driver.machine.isFullyRewritten(upTo)) driver.compact(upTo);
        driver.drop(upTo);
        return driver.restarted();
      },
    ],
  ])('is taken from the session that lost the lease over %s, from no other', (_, restart) => {
    const { driver: before, token } = held();
    before.subscribe(1, 0);
    before.advance(testOptions.leaseMs);
    const driver = restart(before);
    driver.open(3, 1);
    driver.open(4, 2);
    expect(put(driver, 4, token, 'forged')).toBe(stale);
    expect(put(driver, 3, token, 'paid')).toBe('paid');
  });

  test('is not written when the job ended while the log was looked into', () => {
    const { driver, token } = held();
    driver.settle(1, token, 'retry');
    const next = takeOne(driver, 1);
    driver.settle(1, next, 'ack');
    const fields = {
      token,
      callHash: hash,
      value: { inline: utf8('late'), blob: null },
      charge: null,
    };
    const before = driver.log.length;
    driver.tell({
      type: 'heldEntry',
      connection: 1,
      correlationId: 900,
      session: idOf(10_001),
      fields,
    });
    expect(driver.answer(900)).toMatchObject({ code: errorCodes.BAD_STATE.number });
    expect(driver.log).toHaveLength(before);
  });

  test('is taken for each of the last ten leases that ended, and for no older one', () => {
    const { driver, token: first } = held();
    const tokens = [first];
    for (let end = 0; end < 11; end++) {
      driver.settle(1, tokens.at(-1) as LeaseToken, 'retry');
      tokens.push(takeOne(driver, 1));
    }
    expect(tokens.map((token) => put(driver, 1, token, 'paid'))).toEqual([
      stale,
      ...Array.from({ length: 11 }, () => 'paid'),
    ]);
  });
});

describe('a settle', () => {
  test('is answered again to the session that sent it, over a restart too, and to no other', () => {
    const { driver, token } = held();
    expect(driver.settle(2, token).code).toBe(stale);
    expect(driver.settle(1, token).code).toBe(0);
    expect(driver.settle(1, token).code).toBe(0);
    expect(driver.settle(2, token).code).toBe(stale);
    const next = driver.restarted();
    next.open(3, 1);
    next.open(4, 2);
    expect(next.settle(3, token).code).toBe(0);
    expect(next.settle(4, token).code).toBe(stale);
    const upTo = next.log.length;
    while (!next.machine.isFullyRewritten(upTo)) next.compact(upTo);
    next.drop(upTo);
    const last = next.restarted();
    last.open(3, 1);
    last.open(4, 2);
    expect(last.settle(3, token).code).toBe(0);
    expect(last.settle(4, token).code).toBe(stale);
  });

  test('and Extend of a cancelled job tell only its former holder so', () => {
    const { driver, token } = held();
    driver.request(2, 'Cancel', { ids: [idOf(1)] });
    const extend = (connection: number) =>
      (driver.request(connection, 'Extend', { tokens: [token] }) as Message<'ExtendOk'>).items;
    expect(extend(1)).toEqual([{ code: 0, directive: 'cancel' }]);
    expect(extend(2)).toEqual([{ code: stale, directive: 'none' }]);
    expect(driver.settle(1, token).code).toBe(errorCodes.BAD_STATE.number);
    expect(driver.settle(2, token).code).toBe(stale);
  });
});

describe('a session id', () => {
  test('is in no answer: the history tells a mark of it, the same for the same session', () => {
    const { driver, token } = held();
    driver.settle(1, token, 'retry');
    const second = takeOne(driver, 1);
    driver.subscribe(1, 0);
    driver.settle(1, second, 'retry');
    driver.subscribe(2, 1);
    driver.settle(2, takeOne(driver, 2), 'retry');
    const fields = { idPrefix: idOf(1), withJob: true };
    const answer = driver.request(2, 'Inspect', fields) as Message<'InspectOk'>;
    const sessions = answer.jobs[0]?.history.map(({ session }) => session) ?? [];
    expect(sessions).toHaveLength(3);
    expect(sessions[1]).toBe(sessions[2]);
    expect(sessions[0]).not.toBe(sessions[1]);
    const secrets = [idOf(10_001), idOf(10_002)];
    const told = JSON.stringify(driver.sent);
    for (const secret of secrets) expect(told).not.toContain(secret);
  });
});
