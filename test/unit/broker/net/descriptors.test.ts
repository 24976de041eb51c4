import { expect, test } from 'vitest';
import { connectionsWithin, openFilesMax } from '../../../../core/broker/net/pool/io-pool.ts';

test('connections leave the log its files, whatever the system allows', () => {
  expect(connectionsWithin(1_048_576, 1024)).toBe(1024);
  expect(connectionsWithin(1024, 1024)).toBe(665);
  expect(connectionsWithin(256, 1024)).toBe(51);
  expect(connectionsWithin(64, 1024)).toBe(8);
  expect(connectionsWithin(Number.POSITIVE_INFINITY, 1024)).toBe(1024);
});

test('the limit on open files is read as the system tells it', () => {
  const line = 'Max open files            256                  4096                 files     ';
  expect(openFilesMax(`Max cpu time unlimited\n${line}\n`)).toBe(256);
  expect(
    openFilesMax('Max open files            unlimited            unlimited            files'),
  ).toBe(Number.POSITIVE_INFINITY);
  expect(openFilesMax('')).toBe(Number.POSITIVE_INFINITY);
});
