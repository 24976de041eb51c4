/** Budgets and rate gates: what can be reserved, what is used in the end, and that repeats change nothing. */

import { describe, expect, test } from 'vitest';
import { textOf } from './fake-core.ts';
import { ScopesDriver, unitsOf } from './scopes-driver.ts';

describe('a reservation', () => {
  test('takes from all scopes or from none', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.set('b', 5);
    expect(scopes.reserve(1, { a: 8, b: 5 }).name).toBe('Ok');
    expect(scopes.reserve(2, { a: 2, b: 1 }).name).toBe('NO_UNITS');
    expect(scopes.left()).toEqual({ a: 2, b: 0 });
  });

  test('is refused when a scope is unknown, so that a typing error spends nothing', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    const refused = scopes.reserve(1, { a: 1, spelled: 1 });
    expect(refused.name).toBe('NOT_FOUND');
    expect(textOf(refused)).toContain('"spelled"');
    expect(scopes.left()).toEqual({ a: 10 });
  });

  test('is refused with the scope, what is left and what is missing', () => {
    const scopes = new ScopesDriver();
    scopes.set('budget', 10);
    scopes.reserve(1, { budget: 7 });
    const text = textOf(scopes.reserve(2, { budget: 4 }));
    expect(text).toBe(
      'scope "budget" has 3 of 10 units left, 4 were asked: it does not refill; 7 are in open reservations that may give some back',
    );
    expect(textOf(scopes.reserve(3, { budget: 11 }))).toContain('more than its limit');
  });

  test('repeated answers as before, also after its end, and takes nothing twice', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    for (let time = 0; time < 3; time++) expect(scopes.reserve(1, { a: 6 }).name).toBe('Ok');
    expect(scopes.left()).toEqual({ a: 4 });
    scopes.commit(1, { a: 6 });
    const records = scopes.core.endOffset;
    expect(scopes.reserve(1, { a: 6 }).name).toBe('Ok');
    expect(scopes.core.endOffset).toBe(records);
    expect(scopes.left()).toEqual({ a: 4 });
  });

  test('with the id of another one is a conflict', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 6 });
    expect(scopes.reserve(1, { a: 5 }).name).toBe('CONFLICT');
    expect(scopes.reserve(1, { a: 6 }, 2).name).toBe('CONFLICT');
  });

  test.each([
    ['no scope', []],
    ['a scope twice', [...unitsOf({ a: 1 }), ...unitsOf({ a: 2 })]],
    ['a name with a blank', unitsOf({ 'a b': 1 })],
    [
      'too many scopes',
      unitsOf(Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`s${n}`, 1]))),
    ],
  ])('that names %s is refused', (_, units) => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    expect(scopes.reserve(1, units).name).toBe('BAD_REQUEST');
    expect(scopes.core.kinds()).toEqual(['scopeSet']);
  });

  test('is one of at most 1000 that a session has open', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 5000);
    for (let id = 1; id <= 1000; id++) expect(scopes.reserve(id, { a: 1 }).name).toBe('Ok');
    expect(scopes.reserve(1001, { a: 1 }).name).toBe('QUEUE_FULL');
    expect(scopes.reserve(1001, { a: 1 }, 2).name).toBe('Ok');
    scopes.release(1);
    expect(scopes.reserve(1002, { a: 1 }).name).toBe('Ok');
  });

  test('is one of at most 100,000 that are open', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 1_000_000);
    for (let id = 0; id < 100_000; id++) scopes.plainReserve(id, 100 + Math.floor(id / 1000));
    expect(scopes.reserve(200_000, { a: 1 }).name).toBe('QUEUE_FULL');
  });
});

describe('the end of a reservation', () => {
  test.each([
    ['less', 2],
    ['the same', 6],
    ['nothing', 0],
    ['more', 9],
    ['more than the limit', 30],
  ])('records that %s was used', (_, used) => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 6 });
    expect(scopes.commit(1, { a: used }).name).toBe('Ok');
    expect(scopes.list()).toEqual([
      { scope: 'a', limitUnits: 10, windowMs: 0, usedUnits: used, reservedUnits: 0 },
    ]);
  });

  test('by Release gives everything back', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 6 });
    expect(scopes.release(1).name).toBe('Ok');
    expect(scopes.left()).toEqual({ a: 10 });
  });

  test('can be repeated, but not changed', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 6 });
    scopes.reserve(2, { a: 1 });
    scopes.commit(1, { a: 3 });
    scopes.release(2);
    expect(scopes.commit(1, { a: 3 }).name).toBe('Ok');
    expect(scopes.release(2).name).toBe('Ok');
    expect(scopes.commit(1, { a: 4 }).name).toBe('BAD_STATE');
    expect(scopes.release(1).name).toBe('BAD_STATE');
    expect(scopes.commit(2, { a: 1 }).name).toBe('BAD_STATE');
    expect(scopes.left()).toEqual({ a: 7 });
  });

  test('names exactly the scopes of the reservation, in any order', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.set('b', 10);
    scopes.reserve(1, { a: 1, b: 1 });
    expect(scopes.commit(1, { a: 1 }).name).toBe('BAD_REQUEST');
    expect(scopes.commit(1, { a: 1, c: 1 }).name).toBe('BAD_REQUEST');
    expect(scopes.commit(1, { b: 2, a: 3 }).name).toBe('Ok');
    expect(scopes.left()).toEqual({ a: 7, b: 8 });
  });

  test('is for its own session', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 1 });
    expect(scopes.commit(1, { a: 1 }, 2).name).toBe('NOT_FOUND');
    expect(scopes.release(1, 2).name).toBe('NOT_FOUND');
    expect(scopes.release(99).name).toBe('NOT_FOUND');
  });

  test('is remembered for the last 10,000', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 1_000_000);
    for (let id = 1; id <= 10_001; id++) {
      scopes.reserve(id, { a: 1 });
      scopes.commit(id, { a: 1 });
    }
    expect(scopes.commit(1, { a: 1 }).name).toBe('NOT_FOUND');
    expect(scopes.commit(2, { a: 1 }).name).toBe('Ok');
  });

  test('comes with the end of its session and counts all of it as used', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 100);
    for (let id = 1; id <= 5; id++) scopes.reserve(id, { a: 10 });
    scopes.reserve(6, { a: 10 }, 2);
    scopes.commit(1, { a: 1 });
    expect(scopes.store.sessions()).toHaveLength(2);
    expect(scopes.endSession(1, 3)).toBe(true);
    expect(scopes.endSession(1, 3)).toBe(false);
    expect(scopes.store.sessions()).toHaveLength(1);
    expect(scopes.list()).toMatchObject([{ usedUnits: 41, reservedUnits: 10 }]);
    expect(scopes.release(2).name).toBe('BAD_STATE');
    expect(scopes.commit(2, { a: 10 }).name).toBe('Ok');
  });
});

describe('a rate', () => {
  test('refills linearly and tells to the millisecond when enough is there', () => {
    const scopes = new ScopesDriver();
    scopes.set('rate', 7, 1000);
    expect(scopes.reserve(1, { rate: 7 }).name).toBe('Ok');
    const text = textOf(scopes.reserve(2, { rate: 3 }));
    expect(text).toBe('scope "rate" has 0 of 7 units left, 3 were asked: retry after 429 ms');
    scopes.nowMs += 428;
    expect(scopes.reserve(2, { rate: 3 }).name).toBe('NO_UNITS');
    scopes.nowMs += 1;
    expect(scopes.reserve(2, { rate: 3 }).name).toBe('Ok');
  });

  test('loses no fraction of a unit, however often it is used', () => {
    const scopes = new ScopesDriver();
    scopes.set('rate', 3, 1000);
    let taken = 0;
    for (let step = 0; step < 10_000; step++) {
      scopes.nowMs += 7;
      if (scopes.reserve(step, { rate: 1 }).name !== 'Ok') continue;
      scopes.release(step);
      scopes.reserve(100_000 + step, { rate: 1 });
      scopes.commit(100_000 + step, { rate: 1 });
      taken++;
    }
    // 70 seconds of 3 each, and what was there at first.
    expect(taken).toBe(3 * 70 + 3 - 1);
  });

  test('that is full banks nothing', () => {
    const scopes = new ScopesDriver();
    scopes.set('rate', 3, 1000);
    scopes.reserve(1, { rate: 1 });
    // 333.3 ms for a unit: two thirds of the next one would be there.
    scopes.nowMs += 556;
    scopes.reserve(2, { rate: 3 });
    scopes.nowMs += 333;
    expect(scopes.left()).toEqual({ rate: 0 });
    scopes.nowMs += 1;
    expect(scopes.left()).toEqual({ rate: 1 });
  });

  test('tells the wait of the scope that needs the longest', () => {
    const scopes = new ScopesDriver();
    scopes.set('fast', 10, 1000);
    scopes.set('slow', 10, 60_000);
    scopes.reserve(1, { fast: 10, slow: 10 });
    expect(textOf(scopes.reserve(2, { fast: 5, slow: 5 }))).toContain(
      '"slow" has 0 of 10 units left, 5 were asked: retry after 30000 ms',
    );
  });

  test('counts from the reservation on, so that long calls do not slow it down', () => {
    const scopes = new ScopesDriver();
    scopes.set('rate', 10, 1000);
    scopes.reserve(1, { rate: 10 });
    scopes.nowMs += 1000;
    expect(scopes.reserve(2, { rate: 10 }).name).toBe('Ok');
    expect(scopes.list()).toMatchObject([{ usedUnits: 0, reservedUnits: 10 }]);
  });

  test('gets back only what it has not refilled meanwhile', () => {
    const scopes = new ScopesDriver();
    scopes.set('rate', 10, 1000);
    scopes.reserve(1, { rate: 10 });
    scopes.nowMs += 800;
    scopes.reserve(2, { rate: 8 });
    scopes.release(1);
    expect(scopes.left()).toEqual({ rate: 2 });
    scopes.release(2);
    expect(scopes.left()).toEqual({ rate: 10 });
  });

  test('is not refilled by a clock that goes back, and goes on from there', () => {
    const scopes = new ScopesDriver();
    scopes.nowMs = 1_000_000;
    scopes.set('rate', 10, 1000);
    scopes.reserve(1, { rate: 10 });
    scopes.nowMs -= 500_000;
    expect(textOf(scopes.reserve(2, { rate: 1 }))).toContain('retry after 100 ms');
    scopes.nowMs += 99;
    expect(scopes.reserve(2, { rate: 1 }).name).toBe('NO_UNITS');
    scopes.nowMs += 1;
    expect(scopes.reserve(2, { rate: 1 }).name).toBe('Ok');
  });

  test('is exact where limit times window passes what a number holds', () => {
    const scopes = new ScopesDriver();
    const limit = 2 ** 53 - 1;
    scopes.set('tokens', limit, 30 * 24 * 3600 * 1000);
    scopes.reserve(1, { tokens: limit });
    scopes.nowMs += 1;
    const perMs = Number(BigInt(limit) / BigInt(30 * 24 * 3600 * 1000));
    expect(scopes.left()).toEqual({ tokens: perMs });
    expect(scopes.commit(1, { tokens: limit }).name).toBe('Ok');
    scopes.reserve(2, { tokens: 1 });
    expect(scopes.commit(2, { tokens: limit }).name).toBe('Ok');
    expect(scopes.left()).toEqual({ tokens: 0 });
  });

  test('of nothing never lets anything through', () => {
    const scopes = new ScopesDriver();
    scopes.set('stopped', 0, 1000);
    expect(textOf(scopes.reserve(1, { stopped: 1 }))).toContain('more than its limit');
  });
});

describe('the limit of a scope', () => {
  test('can be changed, and what was used stays', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 8 });
    scopes.set('a', 5);
    expect(scopes.left()).toEqual({ a: 0 });
    scopes.commit(1, { a: 3 });
    expect(scopes.left()).toEqual({ a: 2 });
    scopes.set('a', 5, 1000);
    scopes.nowMs += 200;
    expect(scopes.left()).toEqual({ a: 3 });
  });

  test('set again to the same writes nothing', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    expect(scopes.set('a', 10).name).toBe('Ok');
    expect(scopes.core.kinds()).toEqual(['scopeSet']);
  });

  test('of 0 without a window removes it, once its reservations have ended', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 4 });
    expect(scopes.set('a', 0).name).toBe('Ok');
    expect(scopes.list()).toEqual([]);
    expect(scopes.reserve(2, { a: 1 }).name).toBe('NOT_FOUND');
    expect(scopes.store.scopeCount).toBe(1);
    expect(scopes.commit(1, { a: 4 }).name).toBe('Ok');
    expect(scopes.store.scopeCount).toBe(0);
    expect(scopes.set('never', 0).name).toBe('Ok');
    expect(scopes.store.scopeCount).toBe(0);
  });

  test('that was removed and set again counts the reservations that are still open', () => {
    const scopes = new ScopesDriver();
    scopes.set('a', 10);
    scopes.reserve(1, { a: 4 });
    scopes.set('a', 0);
    scopes.set('a', 10);
    expect(scopes.left()).toEqual({ a: 6 });
  });

  test('is refused for a bad name, an endless window and one scope too many', () => {
    const scopes = new ScopesDriver();
    expect(scopes.set('', 1).name).toBe('BAD_REQUEST');
    expect(scopes.set('x'.repeat(201), 1).name).toBe('BAD_REQUEST');
    expect(scopes.set('a', 1, 367 * 24 * 3600 * 1000).name).toBe('BAD_REQUEST');
    for (let index = 0; index < 10_000; index++) scopes.set(`s${index}`, 1);
    expect(scopes.set('another', 1).name).toBe('QUEUE_FULL');
    expect(scopes.set('s5', 2).name).toBe('Ok');
    scopes.set('s5', 0);
    expect(scopes.set('another', 1).name).toBe('Ok');
  });

  test('is listed by prefix, in order, at most 1000', () => {
    const scopes = new ScopesDriver();
    for (let index = 0; index < 1500; index++) scopes.set(`b/${String(index).padStart(4, '0')}`, 1);
    scopes.set('a/2', 1);
    scopes.set('a/1', 1);
    expect(scopes.list('a/').map(({ scope }) => scope)).toEqual(['a/1', 'a/2']);
    expect(scopes.list('b/')).toHaveLength(1000);
    expect(scopes.list('b/14')).toHaveLength(100);
    expect(scopes.list('c')).toEqual([]);
  });
});
