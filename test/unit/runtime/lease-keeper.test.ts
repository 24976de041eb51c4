/** Renewing leases, obeying the broker, and giving up what may be another's. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Extended, LeasedJob } from '../../../core/job-queue/index.ts';
import { keepLeases, type LeaseKeeper } from '../../../core/runtime/lease-keeper.ts';
import { leaseOf } from '../../support/runtime-fakes.ts';

const leaseMs = 30_000;
let keeper: LeaseKeeper;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  keeper.stop();
  vi.useRealTimers();
});

function keep(held: LeasedJob[], extend: (leases: readonly LeasedJob[]) => Promise<Extended[]>) {
  const told: string[] = [];
  keeper = keepLeases({
    consumer: { leaseMs, extend },
    held: () => [...held],
    onDirective: (leased, directive) => told.push(`${leased.job.id} ${directive}`),
    onLost: (leased, why) => {
      told.push(`${leased.job.id} lost: ${why}`);
      held.splice(held.indexOf(leased), 1);
    },
  });
  return told;
}

describe('keepLeases', () => {
  it('renews all leases together, three times in a lease time', async () => {
    const held = [leaseOf(), leaseOf()];
    const frames: number[] = [];
    keep(held, async (leases) => {
      frames.push(leases.length);
      for (const leased of leases) leased.deadlineMs = performance.now() + leaseMs;
      return leases.map(() => ({ ok: true, directive: 'none' }));
    });
    await vi.advanceTimersByTimeAsync(leaseMs);
    expect(frames.length).toBeGreaterThanOrEqual(2);
    expect(frames.length).toBeLessThanOrEqual(3);
    expect(new Set(frames)).toEqual(new Set([2]));
  });

  it('passes on what the broker says of each lease', async () => {
    const held = ['fine', 'gone', 'cancelled', 'drained'].map((id) => leaseOf({ job: { id } }));
    const told = keep(held, async () => [
      { ok: true, directive: 'none' },
      { ok: false, code: 'STALE_LEASE' },
      { ok: true, directive: 'cancel' },
      { ok: true, directive: 'drain' },
    ]);
    await vi.advanceTimersByTimeAsync(leaseMs / 2);
    expect(told).toEqual(['gone lost: STALE_LEASE', 'cancelled cancel', 'drained drain']);
  });

  it('gives a lease up at its local deadline while the broker does not answer', async () => {
    const held = [leaseOf({ job: { id: 'mine' }, deadlineMs: performance.now() + leaseMs })];
    const told = keep(held, () => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(leaseMs * 0.9);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(leaseMs * 0.3);
    expect(told).toEqual(['mine lost: its lease ran out unrenewed']);
  });

  it('goes on after a renewal that failed', async () => {
    let calls = 0;
    keep([leaseOf({ deadlineMs: Infinity })], async () => {
      calls += 1;
      throw new Error('connection lost');
    });
    await vi.advanceTimersByTimeAsync(leaseMs * 2);
    expect(calls).toBeGreaterThanOrEqual(4);
  });
});
