/** Search beside List: after everything that can happen to jobs both tell the same of each of them. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  encodeJob,
  type JobInfo,
  type Message,
  type NewJob,
  type Settlement,
} from '../../../../core/protocol/index.ts';
import { patienceMs } from '../../../support/patience.ts';
import { everything } from '../../../unit/broker/search/model.ts';
import { type Asker, idOf, Place, range, settlement } from '../broker-peer.ts';

let place: Place;

beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const hourMs = 3_600_000;

function jobOf(number: number, given: Partial<NewJob> = {}): Uint8Array {
  const job: NewJob = {
    id: idOf(number),
    queue: 'q',
    digest: new Uint8Array(16),
    body: new TextEncoder().encode(`{"input":{"number":${number}}}`),
    agent: `agent-${number % 3}`,
    agentDigest: new Uint8Array(32),
    source: `docs/text-${number}.txt`,
    createdAtMs: 1,
    ...given,
  };
  return encodeJob(job, crc32);
}

async function enqueue(asker: Asker, jobs: Uint8Array[]): Promise<void> {
  const { items } = await asker.ask('Enqueue', { atomic: false, jobs }, 'EnqueueOk');
  expect(items.map(({ outcome, message }) => [outcome, message])).toEqual(
    jobs.map(() => ['created', '']),
  );
}

/** All pages of a search. */
async function search(asker: Asker, filter: Partial<Message<'Search'>> = {}): Promise<JobInfo[]> {
  const jobs: JobInfo[] = [];
  let after = '';
  do {
    const page = await asker.ask(
      'Search',
      { ...everything, limit: 7, ...filter, after },
      'SearchOk',
    );
    jobs.push(...page.jobs);
    after = page.next;
  } while (after !== '');
  return jobs;
}

/** Search knows what List tells. */
async function expectSame(asker: Asker): Promise<JobInfo[]> {
  const listed = await asker.list();
  expect(await search(asker)).toEqual(listed);
  return listed;
}

const usage = { calls: 1, inputTokens: 10, outputTokens: 2, costMicros: 30, estimated: false };

/** How the job of each delivery is settled. */
const settlements: readonly Partial<Settlement>[] = [
  { outcome: 'ack', note: '{"files":["out/a.md"]}', usage },
  { outcome: 'ack', usage, result: { inline: new Uint8Array(50), blob: null } },
  { outcome: 'ack', enqueue: [jobOf(900, { tags: ['follow-up'] })] },
  { outcome: 'retry', delayMs: hourMs, errorCode: 'TIMEOUT', errorMessage: 'no answer', usage },
  { outcome: 'throttled', delayMs: hourMs, errorCode: 'LIMITED', errorMessage: '429' },
  { outcome: 'final', errorCode: 'BAD_ANSWER', errorMessage: 'not JSON', usage },
  { outcome: 'final', errorCode: 'BAD_ANSWER', errorMessage: 'no JSON' },
  { outcome: 'retry', park: 'approval', errorCode: 'WAITS', errorMessage: 'for approval' },
];

test('after everything that can happen to jobs, search tells of each what list tells', async () => {
  const broker = await place.start();
  const asker = await place.asker(1);
  await enqueue(asker, [
    ...range(12).map((number) => jobOf(number, { tags: [`t${number % 2}`, 'all'] })),
    jobOf(50, { delayMs: hourMs, priority: 'lowest' }),
    jobOf(51, { parkKey: 'gate', expiresAtMs: Date.now() + hourMs }),
    jobOf(53, { queue: 'other', parkKey: 'later' }),
  ]);
  await expectSame(asker);

  await asker.subscribe(10);
  const deliveries = await asker.deliveries(10);
  await expectSame(asker);
  const items = settlements.flatMap((given, index) => {
    const delivery = deliveries[index];
    return delivery === undefined ? [] : [{ ...settlement(delivery.token), ...given }];
  });
  const settled = await asker.ask('Settle', { items }, 'SettleOk');
  expect(settled.items.map(({ message }) => message)).toEqual(items.map(() => ''));
  await expectSame(asker);

  const dead = (await asker.list()).filter(({ errorCode }) => errorCode === 'BAD_ANSWER');
  await asker.ask('Retry', { ids: [dead[0]?.id ?? ''] }, 'RetryOk');
  await asker.ask('Cancel', { ids: [dead[1]?.id ?? '', idOf(50)] }, 'CancelOk');
  await asker.ask('Signal', { key: 'gate' }, 'BulkOk');
  await enqueue(asker, [jobOf(52, { queue: 'other', expiresAtMs: Date.now() + 500 })]);
  const expired = async (): Promise<JobInfo[]> => search(asker, { errorCode: 'expired' });
  await expect.poll(expired).toHaveLength(1);
  const before = await expectSame(asker);
  expect(new Set(before.map(({ state }) => state)).size).toBeGreaterThanOrEqual(6);
  expect(await search(asker, { text: 'not JSON' })).toHaveLength(1);
  expect(await search(asker, { tag: 'follow-up' })).toHaveLength(1);

  await asker.peer.close();
  await broker.stop();
  await place.start();
  const again = await place.asker(2);
  await expectSame(again);
  await again.peer.close();
});

test('a history that was thrown away is made again from the log', async () => {
  const broker = await place.start();
  const asker = await place.asker(1);
  await enqueue(
    asker,
    range(30).map((number) => jobOf(number)),
  );
  const before = await search(asker);
  expect(before).toHaveLength(30);
  await asker.peer.close();
  await broker.stop();
  rmSync(join(place.dir, 'history.sqlite'));
  await place.start();
  const again = await place.asker(2);
  expect(await search(again)).toEqual(before);
});

test('compaction drops nothing before the history has read it', async () => {
  const notices: string[] = [];
  const broker = await place.start({
    segmentBytesMax: 64 * 1024,
    keepJobs: 20,
    onNotice: (text) => notices.push(text),
  });
  const asker = await place.asker(1);
  await asker.subscribe(100);
  const body = new TextEncoder().encode(`{"input":"${'x'.repeat(2_000)}"}`);
  for (let turn = 0; turn < 20; turn++) {
    await enqueue(
      asker,
      range(100).map((number) => jobOf(turn * 100 + number, { body })),
    );
    const taken = await asker.deliveries(100);
    await asker.settle(taken.map(({ token }) => token));
  }
  // Of some 70 segments most are dropped.
  await vi.waitFor(
    async () => {
      const { logSegments } = await asker.ask('Stats', { queues: [] }, 'StatsOk');
      expect(logSegments).toBeLessThan(20);
    },
    { timeout: patienceMs, interval: 50 },
  );
  await expectSame(asker);
  await broker.stop();
  expect(notices.filter((text) => text.startsWith('history'))).toEqual([]);
});
