/** Broker addresses. */

import { expect, test } from 'vitest';
import { parseBrokerAddress } from '../../../core/job-queue/index.ts';

test('the three forms are read', () => {
  expect(parseBrokerAddress('file:/data/x/../.aiq')).toEqual({ kind: 'file', dir: '/data/.aiq' });
  expect(parseBrokerAddress('unix:/run/aiq.sock')).toEqual({ kind: 'unix', path: '/run/aiq.sock' });
  expect(parseBrokerAddress('tcp://127.0.0.1:4222')).toEqual({
    kind: 'tcp',
    host: '127.0.0.1',
    port: 4222,
  });
  expect(parseBrokerAddress('tcp://[::1]:1')).toMatchObject({ host: '::1', port: 1 });
  expect(parseBrokerAddress('tcp://localhost:65535')).toMatchObject({ host: 'localhost' });
});

test.each([
  '',
  'nats://127.0.0.1:4222',
  'file:relative',
  'file:',
  'unix:aiq.sock',
  'tcp://127.0.0.1',
  'tcp://127.0.0.1:0',
  'tcp://127.0.0.1:65536',
  'tcp://127.0.0.1:4222/path',
  'tcp://user@127.0.0.1:4222',
])('%j is refused with the forms that are allowed', (address) => {
  expect(() => parseBrokerAddress(address)).toThrow(/not a broker address.*file:.*unix:.*tcp:/);
});

test.each(['tcp://10.0.0.1:4222', 'tcp://example.org:4222', 'tcp://127.0.0.1.example.org:1'])(
  '%s is refused, because the token would travel in clear text',
  (address) => {
    expect(() => parseBrokerAddress(address)).toThrow(/beyond this machine.*clear text/);
  },
);
