/**
 * The arithmetic of one scope. A budget (window 0) never refills. A rate refills linearly: all of
 * its limit within one window, in whole units, exact to the millisecond for any size of numbers.
 */

/** How much may be spent under one name, and how much of it is taken. */
export interface Scope {
  readonly name: string;
  limitUnits: number;
  /** The time in which a rate refills wholly; 0 for a budget. */
  windowMs: number;
  /** Units used or reserved that had not refilled at `atMs`. */
  takenUnits: number;
  /** Units of all open reservations, refilled or not. */
  reservedUnits: number;
  /** Open reservations, those of 0 units among them. */
  openCount: number;
  /** Wall clock; the scope refills from here. */
  atMs: number;
  /** What had refilled of the next unit at `atMs`, in units × milliseconds, below `windowMs`. */
  remainder: number;
}

export function newScope(name: string): Scope {
  return {
    name,
    limitUnits: 0,
    windowMs: 0,
    takenUnits: 0,
    reservedUnits: 0,
    openCount: 0,
    atMs: 0,
    remainder: 0,
  };
}

/** True when no limit was set, or it was taken away: nothing can be reserved of it. */
export function isUnset(scope: Scope): boolean {
  return scope.limitUnits === 0 && scope.windowMs === 0;
}

/** Units that are taken at `nowMs`; a clock that went back refills nothing. */
export function takenAt(scope: Scope, nowMs: number): number {
  return Math.max(0, scope.takenUnits - refilledSince(scope, nowMs).units);
}

export function leftAt(scope: Scope, nowMs: number): number {
  return Math.max(0, scope.limitUnits - takenAt(scope, nowMs));
}

/**
 * Milliseconds after `nowMs` until so many units are left when nobody takes any, or null when that
 * cannot be: a budget, or more units than the limit.
 */
export function waitMsFor(scope: Scope, units: number, nowMs: number): number | null {
  const surplus = scope.takenUnits + units - scope.limitUnits;
  if (surplus <= 0) return 0;
  if (scope.windowMs === 0 || units > scope.limitUnits || scope.limitUnits === 0) return null;
  const missing = BigInt(surplus) * BigInt(scope.windowMs) - BigInt(scope.remainder);
  const limit = BigInt(scope.limitUnits);
  const elapsedMs = Number((missing + limit - 1n) / limit);
  return Math.max(0, scope.atMs + elapsedMs - nowMs);
}

/** Takes units that a reservation asks for or that were used above it. */
export function take(scope: Scope, units: number, atMs: number): void {
  refillUntil(scope, atMs);
  scope.takenUnits = Math.min(Number.MAX_SAFE_INTEGER, scope.takenUnits + units);
}

/**
 * Gives back units that were reserved and not used. Of `reservedUnits`, which a reservation took at
 * `sinceMs`, only what a rate has not refilled since can come back: it would count twice.
 */
export function giveBack(
  scope: Scope,
  units: number,
  { reservedUnits, sinceMs, atMs }: { reservedUnits: number; sinceMs: number; atMs: number },
): void {
  refillUntil(scope, atMs);
  const refilled = refill(scope, Math.max(0, atMs - sinceMs), 0).units;
  const back = Math.min(units, Math.max(0, reservedUnits - refilled));
  scope.takenUnits = Math.max(0, scope.takenUnits - back);
  if (scope.takenUnits === 0) scope.remainder = 0;
}

function refillUntil(scope: Scope, atMs: number): void {
  if (atMs <= scope.atMs) return;
  const { units, remainder } = refilledSince(scope, atMs);
  scope.takenUnits = Math.max(0, scope.takenUnits - units);
  // A full scope banks nothing: what it takes next refills from then on.
  scope.remainder = scope.takenUnits === 0 ? 0 : remainder;
  scope.atMs = atMs;
}

function refilledSince(scope: Scope, nowMs: number): { units: number; remainder: number } {
  return refill(scope, Math.max(0, nowMs - scope.atMs), scope.remainder);
}

/** Whole units that refill in a time. Limit × time passes 2^53 easily, hence the wide integers. */
function refill(
  { limitUnits, windowMs }: Scope,
  elapsedMs: number,
  remainder: number,
): { units: number; remainder: number } {
  if (windowMs === 0) return { units: 0, remainder: 0 };
  const gained = BigInt(elapsedMs) * BigInt(limitUnits) + BigInt(remainder);
  const window = BigInt(windowMs);
  return { units: Number(gained / window), remainder: Number(gained % window) };
}
