/** Renewing leases in time, and giving up what may be another's. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepLeases, type LeaseKeeper } from '../../../../core/client/consumer/lease-keeper.ts';
import type { LeasedJob } from '../../../../core/client/consumer/leases.ts';
import { leaseOf } from '../../../support/runtime-fakes.ts';

const leaseMs = 30_000;
let keeper: LeaseKeeper;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  keeper.stop();
  vi.useRealTimers();
});

function keep(renewable: LeasedJob[], renew: (leases: readonly LeasedJob[]) => Promise<unknown>) {
  const expired: number[] = [];
  const leases = { renewable, expire: () => expired.push(performance.now()) };
  keeper = keepLeases({ leases, leaseMs: () => leaseMs, renew });
  return expired;
}

describe('keepLeases', () => {
  it('renews all leases together, three times in a lease time', async () => {
    const frames: number[] = [];
    keep([leaseOf(), leaseOf()], async (leases) => frames.push(leases.length));
    await vi.advanceTimersByTimeAsync(leaseMs);
    expect(frames.length).toBeGreaterThanOrEqual(2);
    expect(frames.length).toBeLessThanOrEqual(3);
    expect(new Set(frames)).toEqual(new Set([2]));
  });

  it('checks the deadlines while the broker does not answer, and asks it no second time', async () => {
    let calls = 0;
    const expired = keep([leaseOf()], () => {
      calls += 1;
      return new Promise(() => {});
    });
    await vi.advanceTimersByTimeAsync(leaseMs);
    expect(expired.length).toBeGreaterThanOrEqual(10);
    expect(calls).toBe(1);
  });

  it('goes on after a renewal that failed', async () => {
    let calls = 0;
    keep([leaseOf()], async () => {
      calls += 1;
      throw new Error('connection lost');
    });
    await vi.advanceTimersByTimeAsync(leaseMs * 2);
    expect(calls).toBeGreaterThanOrEqual(4);
  });

  it('asks for nothing while nothing is held, and nothing once it is stopped', async () => {
    let calls = 0;
    const held: LeasedJob[] = [];
    keep(held, async () => {
      calls += 1;
    });
    await vi.advanceTimersByTimeAsync(leaseMs);
    held.push(leaseOf());
    keeper.stop();
    await vi.advanceTimersByTimeAsync(leaseMs);
    expect(calls).toBe(0);
  });
});
