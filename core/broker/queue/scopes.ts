/**
 * Scopes (budgets and rate gates) and the reservations on them. `apply` is the only path by which
 * they change, live and on replay; it decides nothing.
 */

import type { ScopeUnits } from '../../protocol/index.ts';
import type { RecordOf } from './records.ts';
import { giveBack, isUnset, newScope, type Scope, take } from './scope.ts';

/** Ended reservations that are kept, so that a repeated request is answered as the first was. */
const endedReservationsMax = 10_000;

export interface Reservation {
  readonly id: string;
  readonly session: string;
  readonly scopes: readonly ScopeUnits[];
  readonly atMs: number;
  /** Null while it is open; then what was used of each scope, or nothing when it was released. */
  used: readonly ScopeUnits[] | null;
}

export type ScopeRecord =
  | RecordOf<'scopeSet'>
  | RecordOf<'reserved'>
  | RecordOf<'reservationEnded'>;

export class ScopeStore {
  /** Up to this offset the log may speak of reservations whose beginning was dropped. */
  restatedUpTo = 0;
  readonly #scopes: Map<string, Scope> = new Map();
  readonly #open: Map<string, Reservation> = new Map();
  readonly #openBySession: Map<string, Map<string, Reservation>> = new Map();
  /** Oldest end first. */
  readonly #ended: Map<string, Reservation> = new Map();

  /** The scope of that name, also when its limit was taken away and reservations are open yet. */
  withOrWithoutLimit(name: string): Scope | undefined {
    return this.#scopes.get(name);
  }

  /** The scope of that name when it has a limit. */
  find(name: string): Scope | undefined {
    const scope = this.#scopes.get(name);
    return scope === undefined || isUnset(scope) ? undefined : scope;
  }

  /** All scopes that have a limit. */
  *scopes(): Generator<Scope> {
    for (const scope of this.#scopes.values()) {
      if (!isUnset(scope)) yield scope;
    }
  }

  get scopeCount(): number {
    return this.#scopes.size;
  }

  /** An open reservation, or one of those that ended last. */
  reservation(id: string): Reservation | undefined {
    return this.#open.get(id) ?? this.#ended.get(id);
  }

  get openCount(): number {
    return this.#open.size;
  }

  openCountOf(session: string): number {
    return this.#openBySession.get(session)?.size ?? 0;
  }

  openOf(session: string): Iterable<Reservation> {
    return this.#openBySession.get(session)?.values() ?? [];
  }

  /** Sessions with open reservations: after a restart they must come back, or be ended. */
  sessions(): string[] {
    return [...this.#openBySession.keys()];
  }

  apply(record: ScopeRecord, offset: number): void {
    switch (record.kind) {
      case 'scopeSet':
        this.#set(record);
        break;
      case 'reserved':
        this.#reserve(record, offset);
        break;
      case 'reservationEnded':
        this.#end(record, offset);
        break;
    }
  }

  /**
   * The records that say everything again. Each must be committed as soon as it is yielded; other
   * records may be committed between two of them, but not before the end of a reservation that is
   * said again. Scopes come last, as they say what is taken for good, whatever was counted before.
   */
  *restate(): Generator<ScopeRecord> {
    for (const reservation of this.#open.values()) yield reservedRecord(reservation);
    // A copy: an end that is said again becomes the newest.
    const ended = [...this.#ended.values()];
    for (const reservation of ended) {
      if (reservation.used === null || !this.#ended.has(reservation.id)) continue;
      yield reservedRecord(reservation);
      yield endedRecord(reservation, reservation.used, reservation.atMs);
    }
    for (const scope of this.#scopes.values()) {
      yield setRecord(scope, scope.takenUnits, scope.atMs);
    }
  }

  #set({ scope: name, limitUnits, windowMs, usedUnits, atMs }: RecordOf<'scopeSet'>): void {
    const scope = this.#scopeOf(name);
    Object.assign(scope, { limitUnits, windowMs, takenUnits: usedUnits, atMs, remainder: 0 });
    this.#forgetUnset(scope);
  }

  #reserve({ reservation: id, session, scopes, atMs }: RecordOf<'reserved'>, offset: number): void {
    if (this.reservation(id) !== undefined) return;
    const taken = scopes.map(({ scope: name, units }) => {
      const scope = this.#scopeOf(name);
      if (isUnset(scope)) this.#assertRestated(offset, `scope ${JSON.stringify(name)}`);
      take(scope, units, atMs);
      scope.reservedUnits += units;
      scope.openCount++;
      // The scope's own string: not one copy for each reservation.
      return { scope: scope.name, units };
    });
    const reservation = { id, session, scopes: taken, atMs, used: null };
    this.#open.set(id, reservation);
    this.#openFor(session).set(id, reservation);
  }

  #end(
    { reservation: id, scopes: used, atMs }: RecordOf<'reservationEnded'>,
    offset: number,
  ): void {
    const ended = this.#ended.get(id);
    if (ended !== undefined) {
      this.#ended.delete(id);
      this.#ended.set(id, ended);
      return;
    }
    const reservation = this.#open.get(id);
    if (reservation === undefined) {
      this.#assertRestated(offset, `reservation ${id}`);
      return;
    }
    for (const entry of reservation.scopes) this.#settle(reservation, entry, used, atMs);
    reservation.used = used;
    this.#open.delete(id);
    const ofSession = this.#openFor(reservation.session);
    ofSession.delete(id);
    if (ofSession.size === 0) this.#openBySession.delete(reservation.session);
    this.#ended.set(id, reservation);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= endedReservationsMax) break;
      this.#ended.delete(oldest);
    }
  }

  /** Corrects what the reservation took of one scope to what was used. */
  #settle(
    reservation: Reservation,
    { scope: name, units }: ScopeUnits,
    used: readonly ScopeUnits[],
    atMs: number,
  ): void {
    const scope = this.#scopeOf(name);
    const usedUnits = used.find((entry) => entry.scope === name)?.units ?? 0;
    scope.reservedUnits -= units;
    scope.openCount--;
    if (usedUnits >= units) take(scope, usedUnits - units, atMs);
    else {
      const held = { reservedUnits: units, sinceMs: reservation.atMs, atMs };
      giveBack(scope, units - usedUnits, held);
    }
    this.#forgetUnset(scope);
  }

  /** The scope of that name, made when it is new. */
  #scopeOf(name: string): Scope {
    let scope = this.#scopes.get(name);
    if (scope === undefined) {
      scope = newScope(name);
      this.#scopes.set(name, scope);
    }
    return scope;
  }

  /** A scope without a limit is kept only while reservations on it are open. */
  #forgetUnset(scope: Scope): void {
    if (isUnset(scope) && scope.openCount === 0) this.#scopes.delete(scope.name);
  }

  #openFor(session: string): Map<string, Reservation> {
    let open = this.#openBySession.get(session);
    if (open === undefined) {
      open = new Map();
      this.#openBySession.set(session, open);
    }
    return open;
  }

  #assertRestated(offset: number, what: string): void {
    if (offset <= this.restatedUpTo) return;
    throw new Error(`the log speaks of ${what}, which it never began`);
  }
}

/** What a scope is from now on; `usedUnits` counts everything taken, open reservations included. */
export function setRecord(
  { name, limitUnits, windowMs }: Pick<Scope, 'name' | 'limitUnits' | 'windowMs'>,
  usedUnits: number,
  atMs: number,
): RecordOf<'scopeSet'> {
  return { kind: 'scopeSet', scope: name, limitUnits, windowMs, usedUnits, atMs };
}

export function endedRecord(
  { id }: Reservation,
  used: readonly ScopeUnits[],
  atMs: number,
): RecordOf<'reservationEnded'> {
  return { kind: 'reservationEnded', reservation: id, scopes: [...used], atMs };
}

function reservedRecord({ id, session, scopes, atMs }: Reservation): RecordOf<'reserved'> {
  return { kind: 'reserved', reservation: id, session, scopes: [...scopes], atMs };
}
