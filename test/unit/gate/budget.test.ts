/** Periods of budgets in the calendars of their zones, and whom a budget concerns. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Budget,
  type BudgetPeriod,
  concerns,
  isTimeZone,
  periodAt,
} from '../../../core/gate/index.ts';

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Sao_Paulo',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Australia/Lord_Howe',
  'Africa/Cairo',
];

function budgetOf(per: BudgetPeriod, timeZone = 'UTC'): Budget {
  return {
    name: 'b',
    amountMicros: 1,
    per,
    timeZone,
    agent: null,
    model: null,
    tag: null,
    batch: null,
  };
}

function periodOf(per: BudgetPeriod, timeZone: string, at: string): (string | null)[] {
  const { startMs, endMs } = periodAt(budgetOf(per, timeZone), Date.parse(at));
  return [startMs, endMs].map((ms) => (ms === null ? null : new Date(ms).toISOString()));
}

describe('a period', () => {
  test('holds every moment of it, and the next one begins where it ends, in every zone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<BudgetPeriod>('day', 'week', 'month'),
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2060, 0) }),
        (per, zone, nowMs) => {
          const budget = budgetOf(per, zone);
          const { startMs, endMs } = periodAt(budget, nowMs);
          expect(startMs).toBeLessThanOrEqual(nowMs);
          expect(endMs).toBeGreaterThan(nowMs);
          expect(periodAt(budget, startMs)).toEqual({ startMs, endMs });
          expect(periodAt(budget, (endMs ?? 0) - 1)).toEqual({ startMs, endMs });
          expect(periodAt(budget, endMs ?? 0).startMs).toBe(endMs);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    [
      'day',
      'UTC',
      '2026-11-30T23:59:59.999Z',
      '2026-11-30T00:00:00.000Z',
      '2026-12-01T00:00:00.000Z',
    ],
    [
      'day',
      'Europe/Berlin',
      '2026-03-29T12:00:00Z',
      '2026-03-28T23:00:00.000Z',
      '2026-03-29T22:00:00.000Z',
    ],
    [
      'day',
      'Europe/Berlin',
      '2026-10-25T12:00:00Z',
      '2026-10-24T22:00:00.000Z',
      '2026-10-25T23:00:00.000Z',
    ],
    ['week', 'UTC', '2026-11-29T12:00:00Z', '2026-11-23T00:00:00.000Z', '2026-11-30T00:00:00.000Z'],
    [
      'month',
      'Asia/Kathmandu',
      '2026-12-31T18:30:00Z',
      '2026-12-31T18:15:00.000Z',
      '2027-01-31T18:15:00.000Z',
    ],
    // Clocks went from 23:59:59 to 1:00 on that day.
    [
      'day',
      'America/Sao_Paulo',
      '2018-11-04T12:00:00Z',
      '2018-11-04T03:00:00.000Z',
      '2018-11-05T02:00:00.000Z',
    ],
    [
      'month',
      'UTC',
      '1970-01-01T00:00:00Z',
      '1970-01-01T00:00:00.000Z',
      '1970-02-01T00:00:00.000Z',
    ],
  ] as const)('of a %s in %s at %s', (...[per, zone, at, start, end]) => {
    expect(periodOf(per, zone, at)).toEqual([start, end]);
  });

  test('of a job, or of all time, has no end', () => {
    for (const per of ['all', 'job'] as const) {
      expect(periodAt(budgetOf(per), 5)).toEqual({ startMs: 0, endMs: null });
    }
  });

  test('is in a zone that there is', () => {
    expect(zones.every(isTimeZone)).toBe(true);
    expect(['', 'Mars/Olympus', 'Berlin'].some(isTimeZone)).toBe(false);
  });
});

describe('a budget', () => {
  const caller = { agent: 'a', model: 'm', tags: ['x', 'y'], batch: '7' };

  test('concerns the calls that it names, all of them together', () => {
    const of = (what: Partial<Budget>): boolean =>
      concerns({ ...budgetOf('all'), ...what }, caller);
    expect(of({})).toBe(true);
    expect(of({ agent: 'a', model: 'm', tag: 'y' })).toBe(true);
    expect(of({ agent: 'b' })).toBe(false);
    expect(of({ agent: 'a', model: 'n' })).toBe(false);
    expect(of({ tag: 'z' })).toBe(false);
    expect([of({ batch: '7' }), of({ batch: '8' })]).toEqual([true, false]);
  });
});
