/** One record for the leases of a turn, and one for the plain acks of a Settle. */

import { expect, test } from 'vitest';
import {
  decodeRecord,
  encodeRecord,
  type LogRecord,
} from '../../../../../core/broker/state-machine/records/records.ts';
import { noUsage, type Settlement } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver } from '../driver.ts';

function driverWith(jobs: number): Driver {
  const driver = new Driver();
  for (const connection of [1, 2]) driver.open(connection);
  driver.enqueue(
    1,
    Array.from({ length: jobs }, (_, index) => checkedJob({ id: index + 1 })),
  );
  return driver;
}

const kindsSince = ({ log }: Driver, length: number): LogRecord['kind'][] =>
  log.slice(length).map((bytes) => decodeRecord(bytes).kind);

function settle(driver: Driver, connection: number, given: readonly Partial<Settlement>[] = []) {
  const texts = { errorCode: '', errorMessage: '', note: '' };
  const items = driver.deliveries(connection).map(({ token }, index) => ({
    token,
    outcome: 'ack' as const,
    delayMs: 0,
    ...texts,
    usage: noUsage,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
    park: null,
    ...given[index],
  }));
  return driver.request(connection, 'Settle', { items });
}

test('all that is handed out in one turn is one record, whoever gets it', () => {
  const driver = driverWith(0);
  driver.subscribe(1, 3);
  driver.subscribe(2, 3);
  const before = driver.log.length;
  driver.enqueue(
    1,
    Array.from({ length: 8 }, (_, index) => checkedJob({ id: index + 1 })),
  );
  const given = driver.log.slice(before).map(decodeRecord);
  const [delivered] = given.filter(({ kind }) => kind === 'delivered');
  expect(given.filter(({ kind }) => kind === 'delivered')).toHaveLength(1);
  expect(delivered).toMatchObject({ sessions: { length: 2 }, jobs: { length: 6 } });
  expect([1, 2].map((connection) => driver.deliveries(connection).length)).toEqual([3, 3]);
  const again = driver.restarted();
  for (const id of [1, 8]) expect(again.stateOf(id)).toBe(driver.stateOf(id));
});

test('plain acks that follow each other are one record; another end between them has its own', () => {
  const driver = driverWith(6);
  driver.subscribe(1, 6);
  const before = driver.log.length;
  settle(driver, 1, [{}, {}, { note: '{"files":[]}' }, {}, { outcome: 'final' }, {}]);
  expect(kindsSince(driver, before)).toEqual([
    'acked',
    'leaseEnded',
    'acked',
    'leaseEnded',
    'acked',
  ]);
  const states = [1, 2, 3, 4, 5, 6].map((id) => driver.stateOf(id));
  expect(states).toEqual(['done', 'done', 'done', 'done', 'dead', 'done']);
  const again = driver.restarted();
  for (const id of [1, 2, 3, 4, 5, 6]) expect(again.infoOf(id)).toEqual(driver.infoOf(id));
});

test('a job that came back before is acked in a record that has its counters', () => {
  const driver = driverWith(1);
  driver.subscribe(1, 1);
  settle(driver, 1, [{ outcome: 'retry' }]);
  const before = driver.log.length;
  settle(driver, 1);
  expect(kindsSince(driver, before)).toEqual(['leaseEnded']);
  expect(driver.infoOf(1)).toMatchObject({ state: 'done', attempts: 1, deliveries: 2 });
});

test('a repeated plain ack answers as the first one', () => {
  const driver = driverWith(1);
  driver.subscribe(1, 1);
  const [{ token } = { token: { id: '', epoch: 0, delivery: 0 } }] = driver.deliveries(1);
  const item = { token, outcome: 'ack' as const, delayMs: 0, errorCode: '', errorMessage: '' };
  const values = { result: null, output: null, prompts: null };
  const whole = { ...item, note: '', usage: noUsage, ...values, enqueue: [], park: null };
  const before = driver.log.length;
  const answer = driver.request(1, 'Settle', { items: [whole, whole] });
  expect(answer).toMatchObject({ items: [{ code: 0 }, { code: 0 }] });
  expect(kindsSince(driver, before)).toEqual(['acked']);
});

test('a delivery as earlier versions wrote it is read as one of a single job', () => {
  const session = '02'.repeat(16);
  const hex = `03 ${'01'.repeat(16)} 0000000000000007 00000002 ${session} 01 0000000000000009`;
  const record = decodeRecord(new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex')));
  expect(record).toMatchObject({ kind: 'delivered', epoch: 7, atMs: 9 });
  expect(record).toMatchObject({ jobs: [{ delivery: 2, isolated: true, session: 0 }] });
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});
