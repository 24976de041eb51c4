/** What a session takes of the broker ends with it, or after a time. */

import { expect, test } from 'vitest';
import { errorCodes, type Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

function put(driver: Driver, connection: number, number: number, offset = 0): unknown {
  const sha256 = new Uint8Array(32);
  new DataView(sha256.buffer).setUint32(0, number);
  const chunk = new Uint8Array(10);
  return driver.request(connection, 'BlobPut', { sha256, totalBytes: 100, offset, chunk });
}

const goesOn = (storedBytes: number) => ({ storedBytes, complete: false });

test('uploads that a lost session did not finish are gone a minute later, but for what others go on with', () => {
  const driver = new Driver();
  driver.open(1);
  driver.open(2);
  for (const upload of [1, 2]) put(driver, 1, upload);
  driver.close(1);
  expect(put(driver, 2, 2, 10)).toEqual(goesOn(20));
  driver.advance(1);
  driver.advance(61_000);
  expect(put(driver, 2, 2, 20)).toEqual(goesOn(30));
  expect(put(driver, 2, 1, 10)).toMatchObject({ code: errorCodes.BAD_REQUEST.number });
  expect(put(driver, 2, 1)).toEqual(goesOn(10));
});

test('an upload of a session that comes back in time goes on', () => {
  const driver = new Driver();
  driver.open(1);
  put(driver, 1, 1);
  driver.close(1);
  driver.advance(50_000);
  driver.open(1);
  expect(put(driver, 1, 1, 10)).toEqual(goesOn(20));
  driver.advance(50_000);
  driver.advance(50_000);
  expect(put(driver, 1, 1, 20)).toEqual(goesOn(30));
});

test('a lease ends when it is as old as one may be, however often it is renewed', () => {
  const driver = new Driver([], { ...testOptions, leaseAgeMsMax: 5_000 });
  driver.open(1);
  driver.enqueue(1, [checkedJob({ id: 1 })]);
  driver.subscribe(1, 1);
  const { token } = driver.deliveries(1)[0]!;
  driver.subscribe(1, 0);
  const renewed = (): number => {
    driver.advance(900);
    return (driver.request(1, 'Extend', { tokens: [token] }) as Message<'ExtendOk'>).items[0]!.code;
  };
  expect([1, 2, 3, 4, 5].map(renewed)).toEqual([0, 0, 0, 0, 0]);
  expect(renewed()).toBe(errorCodes.STALE_LEASE.number);
  expect(driver.stateOf(1)).toBe('ready');
  expect(driver.infoOf(1).errorMessage).toContain('held for 5000 ms');
  expect(token.id).toBe(idOf(1));
});
