/** The rule of money: what is settled, held and unknown is never above an amount, nor below a bill. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Account,
  type Budget,
  decide,
  type Hold,
  newAccount,
  withEnd,
  withHold,
} from '../../../core/gate/index.ts';

const budget: Budget = {
  name: 'daily',
  amountMicros: 1_000,
  per: 'day',
  timeZone: 'UTC',
  agent: null,
  model: null,
  tag: null,
  batch: null,
};
const call = (boundMicros: number) => ({ model: 'm', boundMicros });

interface Step {
  readonly what: 'reserve' | 'settled' | 'unknown' | 'unsent';
  readonly bound: number;
  readonly pick: number;
}

const steps = fc.array(
  fc.record({
    what: fc.constantFrom<Step['what']>('reserve', 'reserve', 'settled', 'unknown', 'unsent'),
    bound: fc.integer({ min: 0, max: 400 }),
    pick: fc.nat(1_000),
  }),
  { maxLength: 60 },
);

describe('an account', () => {
  test('covers every bill at every moment, and no bill is above the amount, for any calls', () => {
    fc.assert(
      fc.property(steps, (all) => {
        let account: Account = newAccount(0);
        const holds: { hold: Hold; cost: number }[] = [];
        let billed = 0;
        for (const { what, bound, pick } of all) {
          if (what === 'reserve') {
            const { decision } = decide([{ budget, account }], call(bound));
            if (decision !== 'granted') continue;
            account = withHold(account, call(bound));
            // The provider bills at once, and anything up to the bound.
            const cost = pick % (bound + 1);
            billed += cost;
            holds.push({ hold: { ...call(bound), startMs: 0, state: 'held' }, cost });
          } else {
            const [one] = holds.splice(pick % Math.max(1, holds.length), 1);
            if (one === undefined) continue;
            if (what === 'unsent') billed -= one.cost;
            const end = what === 'settled' ? { end: what, micros: one.cost } : { end: what };
            account = withEnd(account, one.hold, end);
            if (what === 'unknown') {
              holds.push({ ...one, hold: { ...one.hold, state: 'unknown' } });
            }
          }
          const { settledMicros, heldMicros, unknownMicros } = account;
          const used = settledMicros + heldMicros + unknownMicros;
          expect(used).toBeGreaterThanOrEqual(billed);
          expect(used).toBeLessThanOrEqual(budget.amountMicros);
          expect(Math.min(settledMicros, heldMicros, unknownMicros)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  test('lets a call wait that fits once others cost less, and parks one that fits by no means', () => {
    const held = withHold(newAccount(0), call(800));
    expect(decide([{ budget, account: held }], call(200)).decision).toBe('granted');
    expect(decide([{ budget, account: held }], call(201)).decision).toBe('waits');
    const hold: Hold = { ...call(800), startMs: 0, state: 'held' };
    const lost = withEnd(held, hold, { end: 'unknown' });
    expect(decide([{ budget, account: lost }], call(201))).toEqual({
      decision: 'parked',
      reason: 'amount',
      budget: 'daily',
      leftMicros: 200,
    });
    const found = withEnd(lost, { ...hold, state: 'unknown' }, { end: 'settled', micros: 100 });
    expect(decide([{ budget, account: found }], call(900)).decision).toBe('granted');
    expect(decide([{ budget, account: found }], call(901)).decision).toBe('parked');
  });

  test('stops a model that was billed above its bound, and no other', () => {
    const account = withEnd(
      withHold(newAccount(0), call(10)),
      { ...call(10), startMs: 0, state: 'held' },
      { end: 'settled', micros: 11 },
    );
    expect(account).toMatchObject({ settledMicros: 11, heldMicros: 0, overBound: ['m'] });
    expect(decide([{ budget, account }], call(1))).toMatchObject({ reason: 'over_bound' });
    const other = { model: 'other', boundMicros: 1 };
    expect(decide([{ budget, account }], other).decision).toBe('granted');
  });

  test('is not changed by a call of an earlier period, which a new one has no part of', () => {
    const now = newAccount(86_400_000);
    const old: Hold = { ...call(10), startMs: 0, state: 'held' };
    expect(withEnd(now, old, { end: 'settled', micros: 10 })).toBe(now);
  });

  test('is one of several: a call starts when all of its budgets grant it', () => {
    const small = { ...budget, name: 'small', amountMicros: 5 };
    const claims = [budget, small].map((one) => ({ budget: one, account: newAccount(0) }));
    expect(decide(claims, call(5)).decision).toBe('granted');
    expect(decide(claims, call(6))).toMatchObject({ decision: 'parked', budget: 'small' });
    expect(decide([], call(Number.MAX_SAFE_INTEGER)).decision).toBe('granted');
  });
});
