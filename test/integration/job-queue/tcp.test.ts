/** The port over loopback TCP, where a token says who may talk. */

import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningBroker, startBroker } from '../../../core/broker/index.ts';
import { newJob, openQueue } from '../../../core/job-queue/index.ts';
import { codeOf } from '../../support/servers/fake-broker.ts';

let dir: string;
let broker: RunningBroker;
let address: string;

beforeAll(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-tcp-'));
  const tcp = { host: '127.0.0.1', port: 0 };
  broker = await startBroker({ dir, unix: false, tcp, idleExitMs: null });
  const { port } = JSON.parse(await fs.readFile(path.join(dir, 'endpoints.json'), 'utf8')).tcp as {
    port: number;
  };
  address = `tcp://127.0.0.1:${port}`;
});

afterAll(async () => {
  await broker.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

const clientName = 'test';

test('the token of the broker opens the door', async () => {
  const tokenFile = path.join(dir, 'token');
  const queue = await openQueue({ broker: address, tokenFile, clientName });
  const job = newJob({ agent: 'a', queue: 'a', agentDigest: 'ab'.repeat(32), input: 1 });
  expect(await queue.enqueue([job])).toMatchObject([{ outcome: 'created' }]);
  await queue.close();
});

test('no token, a wrong one or an unreadable file is UNAUTHORIZED at once', async () => {
  const wrong = path.join(dir, 'wrong');
  await fs.writeFile(wrong, 'ab'.repeat(32));
  for (const tokenFile of [null, wrong, path.join(dir, 'none')]) {
    const opening = openQueue({
      broker: address,
      tokenFile,
      clientName,
      connectDeadlineMs: 3_600_000,
    });
    expect(await codeOf(opening)).toBe('UNAUTHORIZED');
  }
});

test('a broker that stops sends its clients away, and the address is then unreachable', async () => {
  const tokenFile = path.join(dir, 'token');
  const options = { broker: address, tokenFile, clientName, connectDeadlineMs: 300 };
  const queue = await openQueue(options);
  await queue.shutdown();
  await broker.closed;
  expect(await codeOf(queue.stats())).toBe('UNREACHABLE');
  expect(await codeOf(openQueue(options))).toBe('UNREACHABLE');
  await queue.close();
});
