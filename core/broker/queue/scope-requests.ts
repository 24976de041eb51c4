/** SetScope, Scopes, Reserve, Commit and Release: every one may be repeated, twice is as once. */

import { isKey, limits, type Message, type ScopeUnits } from '../../protocol/index.ts';
import { answer, type Caller, type Committing, refuse } from './caller.ts';
import { leftAt, type Scope, takenAt, waitMsFor } from './scope.ts';
import { endedRecord, type Reservation, type ScopeStore, setRecord } from './scopes.ts';

/** Most scopes that have a limit. */
const scopesInAllMax = 10_000;
const openReservationsMax = 100_000;
/** Most open reservations of one session, so that ending it is one event. */
const openPerSessionMax = 1000;
/** Longest window of a rate. */
const windowMsMax = 366 * 24 * 3600 * 1000;

export function setScope(caller: Caller, store: ScopeStore, fields: Message<'SetScope'>): void {
  const { scope: name, limitUnits, windowMs } = fields;
  if (!isKey(name)) {
    refuse(caller, 'BAD_REQUEST', notAScope(name));
    return;
  }
  if (windowMs > windowMsMax) {
    refuse(caller, 'BAD_REQUEST', `windowMs is ${windowMs}; at most ${windowMsMax} is allowed`);
    return;
  }
  const known = store.withOrWithoutLimit(name);
  const removed = limitUnits === 0 && windowMs === 0;
  if (known === undefined && !removed && store.scopeCount >= scopesInAllMax) {
    refuse(caller, 'QUEUE_FULL', `there are ${scopesInAllMax} scopes: remove one, by limit 0`);
    return;
  }
  const same = known?.limitUnits === limitUnits && known.windowMs === windowMs;
  const nothing = known === undefined && removed;
  if (!same && !nothing) commitSet(caller, { name, limitUnits, windowMs }, known);
  answer(caller, 'Ok', {});
}

function commitSet(
  { core, now }: Caller,
  limit: Pick<Scope, 'name' | 'limitUnits' | 'windowMs'>,
  known: Scope | undefined,
): void {
  const taken = known === undefined ? 0 : takenAt(known, now.wallMs);
  core.commit(setRecord(limit, taken, now.wallMs));
}

export function listScopes(caller: Caller, store: ScopeStore, { prefix }: Message<'Scopes'>): void {
  const found = [...store.scopes()].filter((scope) => scope.name.startsWith(prefix));
  found.sort((left, right) => (left.name < right.name ? -1 : 1));
  const scopes = found.slice(0, limits.listRowsMax).map((scope) => {
    const taken = takenAt(scope, caller.now.wallMs);
    // What an open reservation took of a rate refills as well: it is then no longer held.
    const reservedUnits = Math.min(scope.reservedUnits, taken);
    const { name, limitUnits, windowMs } = scope;
    return { scope: name, limitUnits, windowMs, usedUnits: taken - reservedUnits, reservedUnits };
  });
  answer(caller, 'ScopesOk', { scopes });
}

export function reserve(caller: Caller, store: ScopeStore, fields: Message<'Reserve'>): void {
  const { core, session, now } = caller;
  const { reservation: id, scopes } = fields;
  const known = store.reservation(id);
  if (known !== undefined) {
    if (known.session === session.id && sameUnits(known.scopes, scopes)) answer(caller, 'Ok', {});
    else
      refuse(
        caller,
        'CONFLICT',
        `reservation ${id} exists with other scopes or of another session`,
      );
    return;
  }
  const bad = badScopes(scopes);
  if (bad !== null) {
    refuse(caller, 'BAD_REQUEST', bad);
    return;
  }
  const full = tooManyOpen(store, session.id);
  if (full !== null) {
    refuse(caller, 'QUEUE_FULL', full);
    return;
  }
  const claims = claimsOf(store, scopes);
  if (typeof claims === 'string') {
    const name = JSON.stringify(claims);
    refuse(caller, 'NOT_FOUND', `no such scope: ${name}; set its limit first`);
    return;
  }
  for (const { scope } of claims) followClock(caller, scope);
  const shortage = shortageOf(claims, now.wallMs);
  if (shortage !== null) {
    refuse(caller, 'NO_UNITS', shortage);
    return;
  }
  core.commit({
    kind: 'reserved',
    reservation: id,
    session: session.id,
    scopes,
    atMs: now.wallMs,
  });
  answer(caller, 'Ok', {});
}

/** What a reservation asks of one scope. */
interface Claim {
  readonly scope: Scope;
  readonly units: number;
}

/** The claims, or the name of a scope that is not known. */
function claimsOf(store: ScopeStore, scopes: readonly ScopeUnits[]): Claim[] | string {
  const claims: Claim[] = [];
  for (const { scope: name, units } of scopes) {
    const scope = store.find(name);
    if (scope === undefined) return name;
    claims.push({ scope, units });
  }
  return claims;
}

/**
 * After the clock went back a rate would wait until the clock is where it was. It goes on from
 * the present time instead; the step back itself refills nothing.
 */
function followClock({ core, now }: Caller, scope: Scope): void {
  if (scope.windowMs === 0 || scope.atMs <= now.wallMs) return;
  core.commit(setRecord(scope, scope.takenUnits, now.wallMs));
}

/** Says which scope lacks units, of several the one that needs the longest; null when none does. */
function shortageOf(claims: readonly Claim[], nowMs: number): string | null {
  let longest: (Claim & { waitMs: number | null }) | null = null;
  for (const { scope, units } of claims) {
    if (!isCountable(scope, units)) {
      return `scope ${JSON.stringify(scope.name)} has more units reserved than can be counted`;
    }
    const waitMs = units <= leftAt(scope, nowMs) ? 0 : waitMsFor(scope, units, nowMs);
    if (waitMs === 0) continue;
    if (longest === null || (longest.waitMs ?? Infinity) < (waitMs ?? Infinity)) {
      longest = { scope, units, waitMs };
    }
  }
  if (longest === null) return null;
  const { scope, units, waitMs } = longest;
  const left = `scope ${JSON.stringify(scope.name)} has ${leftAt(scope, nowMs)} of ${scope.limitUnits} units left, ${units} were asked`;
  return `${left}: ${adviceFor(scope, units, waitMs)}`;
}

/** Reservations on a rate may hold more than its limit together, but not more than a number does. */
function isCountable(scope: Scope, units: number): boolean {
  return scope.reservedUnits + units <= Number.MAX_SAFE_INTEGER;
}

function adviceFor(scope: Scope, units: number, waitMs: number | null): string {
  if (waitMs !== null) return `retry after ${waitMs} ms`;
  if (units > scope.limitUnits) return 'that is more than its limit';
  return `it does not refill; ${scope.reservedUnits} are in open reservations that may give some back`;
}

function badScopes(scopes: readonly ScopeUnits[]): string | null {
  if (scopes.length === 0) return 'a reservation names at least one scope';
  if (scopes.length > limits.scopesMax) {
    return `a reservation names at most ${limits.scopesMax} scopes, not ${scopes.length}`;
  }
  const bad = scopes.find(({ scope }) => !isKey(scope));
  if (bad !== undefined) return notAScope(bad.scope);
  const names = new Set(scopes.map(({ scope }) => scope));
  return names.size < scopes.length ? 'a reservation names each scope once' : null;
}

function tooManyOpen(store: ScopeStore, session: string): string | null {
  if (store.openCountOf(session) >= openPerSessionMax) {
    return `the session has ${openPerSessionMax} open reservations: commit or release some first`;
  }
  if (store.openCount < openReservationsMax) return null;
  return `there are ${openReservationsMax} open reservations: retry when some have ended`;
}

/** Ends a reservation with what was really used: less, the same or more. */
export function commitUnits(caller: Caller, store: ScopeStore, fields: Message<'Commit'>): void {
  const reservation = ownReservation(caller, store, fields.reservation);
  if (reservation === null) return;
  const used = inOrderOf(reservation.scopes, fields.scopes);
  if (used === null) {
    refuse(caller, 'BAD_REQUEST', 'a Commit names the scopes of the reservation, each once');
    return;
  }
  endReservation(caller, reservation, used);
}

/** Ends a reservation with nothing used. */
export function release(caller: Caller, store: ScopeStore, fields: Message<'Release'>): void {
  const reservation = ownReservation(caller, store, fields.reservation);
  if (reservation !== null) endReservation(caller, reservation, []);
}

function ownReservation(caller: Caller, store: ScopeStore, id: string): Reservation | null {
  const reservation = store.reservation(id);
  if (reservation?.session === caller.session.id) return reservation;
  refuse(caller, 'NOT_FOUND', `this session has no reservation ${id}`);
  return null;
}

function endReservation(
  caller: Caller,
  reservation: Reservation,
  used: readonly ScopeUnits[],
): void {
  if (reservation.used === null) {
    caller.core.commit(endedRecord(reservation, used, caller.now.wallMs));
  } else if (!sameUnits(reservation.used, used)) {
    const how = reservation.used.length === 0 ? 'released' : 'committed with other units';
    refuse(caller, 'BAD_STATE', `reservation ${reservation.id} was already ${how}`);
    return;
  }
  answer(caller, 'Ok', {});
}

/**
 * Settles what a session left open when it ended. Whether the units were used is unknown, so all
 * of them count as used. Returns whether more are left than `max`.
 */
export function endSessionScopes(
  core: Committing,
  store: ScopeStore,
  { session, nowMs, max = openPerSessionMax }: { session: string; nowMs: number; max?: number },
): boolean {
  const open = [...store.openOf(session)];
  for (const reservation of open.slice(0, max)) {
    core.commit(endedRecord(reservation, reservation.scopes, nowMs));
  }
  return open.length > max;
}

/** The units in the order of `scopes`, or null when other scopes are named. */
function inOrderOf(
  scopes: readonly ScopeUnits[],
  units: readonly ScopeUnits[],
): ScopeUnits[] | null {
  if (units.length !== scopes.length) return null;
  const ordered = scopes.map(({ scope }) => units.find((entry) => entry.scope === scope));
  const found = ordered.filter((entry) => entry !== undefined);
  return found.length === scopes.length ? found : null;
}

function sameUnits(left: readonly ScopeUnits[], right: readonly ScopeUnits[]): boolean {
  const ordered = inOrderOf(left, right);
  return ordered?.every(({ units }, index) => units === left[index]?.units) ?? false;
}

function notAScope(name: string): string {
  return `not a scope name: ${JSON.stringify(name.slice(0, 60))}`;
}
