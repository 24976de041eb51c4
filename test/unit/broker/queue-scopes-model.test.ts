/**
 * Random histories of scopes beside a model that counts in exact fractions, with restarts and
 * compaction anywhere: the answers, what is left and the replayed state must be the same.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ScopeStore } from '../../../core/broker/queue/scopes.ts';
import { applyTo, idOf, ScopesDriver, type Units } from './scopes-driver.ts';

/** Units as a fraction: `num / den`. */
interface Fraction {
  num: bigint;
  den: bigint;
}

interface ModelScope {
  limit: number;
  windowMs: number;
  /** Exact, at `atMs`. */
  taken: Fraction;
  atMs: number;
}

interface ModelReservation {
  readonly session: number;
  readonly units: Units;
  readonly atMs: number;
  used: Units | null;
}

/** What the broker should answer, told in the plainest way. */
class Model {
  readonly scopes: Map<string, ModelScope> = new Map();
  readonly reservations: Map<number, ModelReservation> = new Map();

  set(name: string, limit: number, windowMs: number, nowMs: number): string {
    const old = this.scopes.get(name);
    if (old?.limit === limit && old.windowMs === windowMs) return 'Ok';
    if (limit === 0 && windowMs === 0) {
      if (old === undefined) return 'Ok';
      // It is a budget of nothing from now on, and unknown to Reserve.
    }
    const taken = old === undefined ? 0n : this.#ceiling(old, nowMs);
    this.scopes.set(name, { limit, windowMs, taken: { num: taken, den: 1n }, atMs: nowMs });
    return 'Ok';
  }

  reserve(id: number, units: Units, session: number, nowMs: number): string {
    const old = this.reservations.get(id);
    if (old !== undefined) {
      const same = old.session === session && sortedText(old.units) === sortedText(units);
      return same ? 'Ok' : 'CONFLICT';
    }
    const entries = Object.entries(units).map(([name, count]) => ({
      scope: this.#known(name),
      count,
    }));
    if (entries.some(({ scope }) => scope === undefined)) return 'NOT_FOUND';
    for (const { scope } of entries) {
      if (scope === undefined || scope.windowMs === 0 || scope.atMs <= nowMs) continue;
      scope.taken = { num: this.#ceiling(scope, scope.atMs), den: 1n };
      scope.atMs = nowMs;
    }
    const fits = entries.every(
      ({ scope, count }) => scope !== undefined && BigInt(count) <= this.left(scope, nowMs),
    );
    if (!fits) return 'NO_UNITS';
    for (const { scope, count } of entries) this.#add(scope as ModelScope, BigInt(count), nowMs);
    this.reservations.set(id, { session, units, atMs: nowMs, used: null });
    return 'Ok';
  }

  end(id: number, used: Units | 'released', session: number, nowMs: number): string {
    const reservation = this.reservations.get(id);
    if (reservation === undefined || reservation.session !== session) return 'NOT_FOUND';
    const final = used === 'released' ? {} : used;
    if (used !== 'released' && !sameKeys(used, reservation.units)) return 'BAD_REQUEST';
    if (reservation.used !== null) {
      return sortedText(reservation.used) === sortedText(final) ? 'Ok' : 'BAD_STATE';
    }
    this.#settle(reservation, final, nowMs);
    return 'Ok';
  }

  endSession(session: number, nowMs: number): void {
    for (const reservation of this.reservations.values()) {
      if (reservation.session !== session || reservation.used !== null) continue;
      this.#settle(reservation, reservation.units, nowMs);
    }
  }

  left(scope: ModelScope, nowMs: number): bigint {
    const left = BigInt(scope.limit) - this.#ceiling(scope, nowMs);
    return left < 0n ? 0n : left;
  }

  /** Compaction says a scope again in whole units: it rounds up. */
  restate(name: string): void {
    const scope = this.scopes.get(name);
    if (scope !== undefined) scope.taken = { num: this.#ceiling(scope, scope.atMs), den: 1n };
  }

  #known(name: string): ModelScope | undefined {
    const scope = this.scopes.get(name);
    return scope === undefined || (scope.limit === 0 && scope.windowMs === 0) ? undefined : scope;
  }

  #settle(reservation: ModelReservation, used: Units, nowMs: number): void {
    reservation.used = used;
    for (const [name, units] of Object.entries(reservation.units)) {
      const scope = this.scopes.get(name);
      if (scope === undefined) throw new Error(`no scope ${name}`);
      const more = BigInt((used[name] ?? 0) - units);
      if (more >= 0n) {
        this.#add(scope, more, nowMs);
        continue;
      }
      const elapsed = BigInt(Math.max(0, nowMs - reservation.atMs));
      const refilled =
        scope.windowMs === 0 ? 0n : (elapsed * BigInt(scope.limit)) / BigInt(scope.windowMs);
      const held = BigInt(units) - refilled;
      const back = held < 0n ? 0n : -more < held ? -more : held;
      this.#add(scope, -back, nowMs);
    }
    for (const name of Object.keys(reservation.units)) this.#forget(name);
  }

  /** A scope without a limit and without open reservations is forgotten with what was used. */
  #forget(name: string): void {
    if (this.#known(name) !== undefined) return;
    const open = [...this.reservations.values()].some(
      ({ used, units }) => used === null && name in units,
    );
    if (!open) this.scopes.delete(name);
  }

  forgetUnset(name: string): void {
    this.#forget(name);
  }

  #add(scope: ModelScope, units: bigint, nowMs: number): void {
    scope.taken = this.#takenAt(scope, nowMs);
    scope.atMs = Math.max(scope.atMs, nowMs);
    const num = scope.taken.num + units * scope.taken.den;
    scope.taken = { num: num < 0n ? 0n : num, den: scope.taken.den };
  }

  #takenAt({ taken, limit, windowMs, atMs }: ModelScope, nowMs: number): Fraction {
    const elapsed = BigInt(Math.max(0, nowMs - atMs));
    if (windowMs === 0 || elapsed === 0n) return taken;
    const den = taken.den * BigInt(windowMs);
    const num = taken.num * BigInt(windowMs) - elapsed * BigInt(limit) * taken.den;
    return reduced({ num: num < 0n ? 0n : num, den });
  }

  #ceiling(scope: ModelScope, nowMs: number): bigint {
    const { num, den } = this.#takenAt(scope, nowMs);
    return (num + den - 1n) / den;
  }
}

function reduced({ num, den }: Fraction): Fraction {
  let [a, b] = [num, den];
  while (b > 0n) [a, b] = [b, a % b];
  return { num: num / a, den: den / a };
}

function sameKeys(left: Units, right: Units): boolean {
  return Object.keys(left).sort().join() === Object.keys(right).sort().join();
}

function sortedText(units: Units): string {
  const names = Object.keys(units).sort();
  return JSON.stringify(names.map((name) => [name, units[name]]));
}

const names = ['a', 'b', 'c'] as const;
const units = fc.dictionary(fc.constantFrom(...names, 'unknown'), fc.nat(6), {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});
const id = fc.integer({ min: 1, max: 12 });
const session = fc.integer({ min: 1, max: 2 });

const change = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    scope: fc.constantFrom(...names),
    limit: fc.constantFrom(0, 3, 7, 20),
    windowMs: fc.constantFrom(0, 0, 10, 97),
  }),
  fc.record({ do: fc.constant('reserve' as const), id, units, session }),
  fc.record({ do: fc.constant('reserve' as const), id, units, session }),
  fc.record({ do: fc.constant('commit' as const), id, units, session, fits: fc.boolean() }),
  fc.record({ do: fc.constant('release' as const), id, session }),
  fc.record({ do: fc.constant('endSession' as const), session }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 3, 15, 60, -1, -40) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  { weight: 20, arbitrary: change },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('restart' as const), summaries: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('compact' as const),
      /** Where between the first record and the first restated one the old ones are dropped. */
      droppedPercent: fc.integer({ min: 0, max: 100 }),
      meanwhile: fc.array(change, { maxLength: 5 }),
    }),
  },
);

class History {
  driver = new ScopesDriver();
  readonly model = new Model();
  #restatedUpTo = 0;

  constructor() {
    for (const name of names) this.change({ do: 'set', scope: name, limit: 20, windowMs: 0 });
  }

  change(what: Change): void {
    const { driver, model } = this;
    const { nowMs } = driver;
    switch (what.do) {
      case 'set':
        expect(driver.set(what.scope, what.limit, what.windowMs).name).toBe(
          model.set(what.scope, what.limit, what.windowMs, nowMs),
        );
        model.forgetUnset(what.scope);
        break;
      case 'reserve':
        expect(driver.reserve(what.id, what.units, what.session).name).toBe(
          model.reserve(what.id, what.units, what.session, nowMs),
        );
        break;
      case 'commit': {
        const named = what.fits ? model.reservations.get(what.id)?.units : undefined;
        const used =
          named === undefined
            ? what.units
            : Object.fromEntries(Object.keys(named).map((name) => [name, what.units['a'] ?? 2]));
        expect(driver.commit(what.id, used, what.session).name).toBe(
          model.end(what.id, used, what.session, nowMs),
        );
        break;
      }
      case 'release':
        expect(driver.release(what.id, what.session).name).toBe(
          model.end(what.id, 'released', what.session, nowMs),
        );
        break;
      case 'endSession':
        driver.endSession(what.session);
        model.endSession(what.session, nowMs);
        break;
      case 'advance':
        driver.nowMs += what.ms;
        break;
    }
    this.#compare();
  }

  restart(summaries = false): void {
    const old = this.driver;
    const store = new ScopeStore();
    store.restatedUpTo = this.#restatedUpTo;
    if (summaries) old.core.replaySummariesInto(applyTo(store), 7);
    else old.core.replayInto(applyTo(store));
    expect(stateOf(store)).toEqual(stateOf(old.store));
    this.driver = new ScopesDriver(old.core, store);
    this.driver.nowMs = old.nowMs;
    this.#compare();
  }

  compact(droppedPercent: number, meanwhile: readonly Change[]): void {
    const { core, store } = this.driver;
    const restatedFrom = core.endOffset + 1;
    const changes = [...meanwhile];
    for (const record of store.restate()) {
      core.commit(record);
      if (record.kind === 'scopeSet') this.model.restate(record.scope);
      const next = changes.shift();
      if (next !== undefined && next.do !== 'advance') this.change(next);
    }
    const first = Math.min(...core.log.keys());
    core.dropBefore(first + Math.round((droppedPercent / 100) * (restatedFrom - first)));
    this.#restatedUpTo = core.endOffset;
    this.restart(droppedPercent % 2 === 0);
  }

  #compare(): void {
    const { driver, model } = this;
    const left = driver.left();
    for (const [name, scope] of model.scopes) {
      if (scope.limit === 0 && scope.windowMs === 0) expect(left).not.toHaveProperty(name);
      else expect(BigInt(left[name] ?? -1)).toBe(model.left(scope, driver.nowMs));
    }
  }
}

/** All that a store knows; the order of what ended counts, as the oldest is forgotten first. */
function stateOf(store: ScopeStore): unknown {
  const records = [...store.restate()];
  return {
    records: records.map((record) => JSON.stringify(record)).sort(),
    ended: records.filter(({ kind }) => kind === 'reservationEnded'),
    scopes: [...store.scopes()].sort((left, right) => (left.name < right.name ? -1 : 1)),
    open: store.openCount,
    bySession: [1, 2].map((number) => store.openCountOf(idOf(number))),
  };
}

test('random histories of scopes answer, count and replay like the model', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
      const history = new History();
      for (const what of steps) {
        if (what.do === 'restart') history.restart(what.summaries);
        else if (what.do === 'compact') history.compact(what.droppedPercent, what.meanwhile);
        else history.change(what);
      }
      history.restart();
    }),
    { numRuns: 300 },
  );
});

test('compaction takes nothing again of a reservation that is forgotten while it is said again', () => {
  const driver = new ScopesDriver();
  driver.set('a', 100_000);
  const spend = (number: number): void => {
    driver.reserve(number, { a: 1 });
    driver.commit(number, { a: 1 });
  };
  for (let number = 0; number < 10_000; number++) spend(number);
  let next = 10_000;
  for (const record of driver.store.restate()) {
    driver.core.commit(record);
    if (record.kind === 'reservationEnded' && next < 10_010) spend(next++);
  }
  expect(driver.list()).toMatchObject([{ usedUnits: 10_010, reservedUnits: 0 }]);
  expect(driver.store.openCount).toBe(0);
});

test('a log that speaks of what it never began is refused', () => {
  const store = new ScopeStore();
  const scopes = [{ scope: 'a', units: 1 }];
  const ended = { kind: 'reservationEnded', reservation: idOf(1), scopes, atMs: 1 } as const;
  const reserved = { kind: 'reserved', reservation: idOf(1), session: idOf(2), scopes, atMs: 1 };
  expect(() => store.apply(ended, 1)).toThrow(/never began/);
  expect(() => store.apply({ ...reserved, kind: 'reserved' }, 1)).toThrow(/never began/);
  const later = new ScopeStore();
  later.restatedUpTo = 5;
  expect(() => later.apply(ended, 5)).not.toThrow();
  expect(() => later.apply(ended, 6)).toThrow(/never began/);
});
