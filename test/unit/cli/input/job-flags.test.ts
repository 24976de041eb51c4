/** Flags that say when and how a job is done, and by which jobs are found. */

import { describe, expect, test } from 'vitest';
import { priorityNames } from '../../../../core/cli/commands/enqueue/enqueue.ts';
import { listedStates } from '../../../../core/cli/commands/jobs/list.ts';
import { filterOf } from '../../../../core/cli/commands/jobs/search-action.ts';
import { type JobFlags, jobTermsOf } from '../../../../core/cli/input/job-flags.ts';
import { jobStates, limits, priorities } from '../../../../core/job-queue/index.ts';

const nowMs = Date.parse('2026-11-22T12:00:00Z');
const usage = (about: string) =>
  expect.objectContaining({ exit: 'usage', message: expect.stringContaining(about) });

describe('the terms of a job', () => {
  test('say nothing when no flag does', () => {
    expect(Object.values(jobTermsOf({}, nowMs))).toEqual(Array.from({ length: 5 }));
  });

  test('are read from the flags', () => {
    const flags: JobFlags = {
      priority: 'high',
      runAt: '10m',
      expires: '2h',
      tag: ['mill', 'q3', 'mill'],
      parkKey: 'approval:7',
    };
    expect(jobTermsOf(flags, nowMs)).toEqual({
      priority: 'high',
      runAtMs: nowMs + 600_000,
      expiresAtMs: nowMs + 7_200_000,
      tags: ['mill', 'q3'],
      parkKey: 'approval:7',
    });
  });

  const tooMany = Array.from({ length: limits.tagsMax + 1 }, (_, index) => `t${index}`);
  test.each([
    ['--run-at', { runAt: 'soon' }],
    ['--expires', { expires: '2020-01-01' }],
    ['--expires', { runAt: '2h', expires: '1h' }],
    ['--tag', { tag: ['a b'] }],
    ['--tag', { tag: [''] }],
    ['--tag', { tag: tooMany }],
    ['--park-key', { parkKey: '' }],
    ['--park-key', { parkKey: 'x'.repeat(limits.keyBytesMax + 1) }],
  ])('are refused, with %s named: %j', (flag, flags: JobFlags) => {
    expect(() => jobTermsOf(flags, nowMs)).toThrow(usage(flag));
  });

  test('a job may run at once although its time is over', () => {
    expect(jobTermsOf({ runAt: '2020-01-01T00:00:00Z' }, nowMs).runAtMs).toBeLessThan(nowMs);
  });
});

describe('a search', () => {
  test('has the conditions that its flags name', () => {
    const flags = {
      queue: 'q',
      state: ['dead', 'parked'],
      cause: 'timeout',
      since: '2h',
      until: '2026-11-22T11:00:00Z',
      minCost: '0.05',
      limit: '10',
    } as const;
    expect(filterOf(flags, nowMs)).toMatchObject({
      queue: 'q',
      states: ['dead', 'parked'],
      errorCode: 'timeout',
      sinceMs: nowMs - 7_200_000,
      untilMs: nowMs - 3_600_000,
      costMicrosMin: 50_000,
      limit: 10,
      agent: undefined,
    });
  });

  test.each([
    ['--since', { since: 'then' }],
    ['--since', { since: '1h', until: '2h' }],
    ['--min-cost', { minCost: '5 USD' }],
    ['--min-cost', { minCost: '0.00000001' }],
    ['--limit', { limit: '0' }],
  ])('is refused, with %s named: %j', (flag, flags) => {
    expect(() => filterOf({ limit: '50', ...flags }, nowMs)).toThrow(usage(flag));
  });
});

test('flags offer every priority and every state that a job can be in', () => {
  expect(priorityNames).toEqual(Object.keys(priorities));
  const states = Object.keys(jobStates).filter((state) => state !== 'none');
  expect([...listedStates].sort()).toEqual(states.sort());
});
