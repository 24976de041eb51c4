/** The rules by which a consumer's leases begin and end. */

import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { type LeasedJob, Leases } from '../../../../core/client/consumer/leases.ts';
import { newJob } from '../../../../core/job-queue/index.ts';
import { type Delivery, encodeJob, idToText } from '../../../../core/protocol/index.ts';

const job = newJob({ agent: 'a', queue: 'a', agentDigest: 'ab'.repeat(32), input: { text: 'x' } });

function delivery(number: number): Delivery {
  return {
    token: { id: job.id, epoch: 1, delivery: number },
    attempt: 1,
    crashes: 0,
    isolated: false,
    leaseMs: 10_000,
    enqueuedAtMs: 1,
    job: encodeJob(job, crc32),
  };
}

function leases(): { held: Leases; lost: string[] } {
  const lost: string[] = [];
  return { held: new Leases((lease, code) => lost.push(`${lease.token.delivery} ${code}`)), lost };
}

test('a lease does not keep the received chunk in memory', () => {
  const { held } = leases();
  const chunk = Buffer.alloc(64 * 1024);
  const one = delivery(1);
  chunk.set(one.job, 100);
  const lease = held.take({ ...one, job: chunk.subarray(100, 100 + one.job.length) });
  expect(lease?.job.body.buffer).not.toBe(chunk.buffer);
  chunk.fill(0);
  expect(lease?.job).toEqual(job);
});

test('a lease is lost once, however often the broker says so', () => {
  const { held, lost } = leases();
  const lease = held.take(delivery(1)) as LeasedJob;
  held.refused(lease, 'STALE_LEASE');
  held.refused(lease, 'STALE_LEASE');
  expect(lost).toEqual(['1 STALE_LEASE']);
  expect(held.all).toEqual([]);
});

test('a lease being settled is not lost, and its answer ends only itself', () => {
  const { held, lost } = leases();
  const first = held.take(delivery(1)) as LeasedJob;
  held.settling(first);
  held.refused(first, 'STALE_LEASE');
  const second = held.take(delivery(2)) as LeasedJob;
  held.settled(first);
  expect(lost).toEqual([]);
  expect(held.all).toEqual([second]);
});

test('a renewal never moves the deadline back', () => {
  const { held } = leases();
  const lease = held.take(delivery(1)) as LeasedJob;
  const before = lease.deadlineMs;
  held.renewed(lease, performance.now() - 60_000, 10_000);
  expect(lease.deadlineMs).toBe(before);
  held.renewed(lease, performance.now(), 60_000);
  expect(lease.deadlineMs).toBeGreaterThan(before);
});

test('a lease that was not renewed in time is lost, and cannot be settled', () => {
  const { held, lost } = leases();
  const inTime = held.take(delivery(1)) as LeasedJob;
  expect(held.settling(inTime)).toBe(true);
  inTime.deadlineMs = 0;
  held.expire();
  expect([lost, held.renewable, held.all]).toEqual([[], [], [inTime]]);
  held.settled(inTime);
  const second = held.take(delivery(2)) as LeasedJob;
  second.deadlineMs = 0;
  expect(held.settling(second)).toBe(false);
  expect(lost).toEqual(['2 STALE_LEASE']);
});

test('a settle reads the deadline of its own lease, however many are held', () => {
  const { held } = leases();
  let reads = 0;
  const all = Array.from({ length: 1_000 }, (_, at) => {
    const one = delivery(1);
    const id = idToText(new Uint8Array(16).fill(at % 256).fill(at >> 8, 8));
    const lease = held.take({ ...one, token: { ...one.token, id } }) as LeasedJob;
    const { deadlineMs } = lease;
    Object.defineProperty(lease, 'deadlineMs', {
      get: () => {
        reads += 1;
        return deadlineMs;
      },
    });
    return lease;
  });
  for (const lease of all) {
    held.settling(lease);
    held.settled(lease);
  }
  expect([reads, held.all]).toEqual([1_000, []]);
});
