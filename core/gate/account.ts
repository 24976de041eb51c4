/**
 * The money of a budget in one period, and the one rule of using it: reserve, call, settle. Pure: an
 * engine keeps accounts and holds as it likes, and asks here what may start and what a call's end changes.
 *
 * A call holds what it can cost at most, its bound, in all its budgets before it starts. What is held counts
 * as used until the call's cost is known: a consumer that vanishes leaves the bound behind as unknown. So
 * the sum of what is settled, held and unknown is at no time below what the provider has billed, and never
 * above the amount, unless a provider bills more than the bound.
 */

import type { Budget } from './budget.ts';

export interface Account {
  /** Start of the period that it counts; 0 for budgets without a calendar. */
  readonly startMs: number;
  /** What calls are known to have cost. All money is in millionths. */
  readonly settledMicros: number;
  /** Bounds of calls that are under way. */
  readonly heldMicros: number;
  /** Bounds of calls of which no one knows what they cost. */
  readonly unknownMicros: number;
  /** Models of calls that were billed above their bound: no more of them start. */
  readonly overBound: readonly string[];
}

/** One call under a budget. */
export interface Hold {
  readonly model: string;
  readonly boundMicros: number;
  /** Period of the account when it was reserved: a later one is not charged. */
  readonly startMs: number;
  readonly state: 'held' | 'unknown';
}

/** A budget and its account in the present period. */
export interface Claim {
  readonly budget: Budget;
  readonly account: Account;
}

export type Decision =
  | { readonly decision: 'granted' }
  /** It fits as soon as calls that are under way cost less than their bounds. */
  | { readonly decision: 'waits'; readonly budget: string }
  | {
      readonly decision: 'parked';
      /** `over_bound`: the provider bills more than what a call can cost. */
      readonly reason: 'amount' | 'over_bound';
      readonly budget: string;
      readonly leftMicros: number;
    };

/** What became of a call. */
export type CallEnd =
  | { readonly end: 'settled'; readonly micros: number }
  /** It may have been sent, and what it cost is not known. */
  | { readonly end: 'unknown' }
  /** It never left. */
  | { readonly end: 'unsent' };

export function newAccount(startMs: number): Account {
  return { startMs, settledMicros: 0, heldMicros: 0, unknownMicros: 0, overBound: [] };
}

/** What calls that are under way leave when each costs its bound. */
function leftMicros({ budget, account }: Claim): number {
  const { settledMicros, heldMicros, unknownMicros } = account;
  return budget.amountMicros - settledMicros - heldMicros - unknownMicros;
}

/** Whether a call may start that concerns these budgets: all of them grant it, or none is changed. */
export function decide(
  claims: readonly Claim[],
  { model, boundMicros }: Pick<Hold, 'model' | 'boundMicros'>,
): Decision {
  let waitsFor: string | null = null;
  for (const claim of claims) {
    const { budget, account } = claim;
    const left = leftMicros(claim);
    const parked = {
      decision: 'parked',
      budget: budget.name,
      leftMicros: Math.max(0, left),
    } as const;
    if (account.overBound.includes(model)) return { ...parked, reason: 'over_bound' };
    if (boundMicros > left + account.heldMicros) return { ...parked, reason: 'amount' };
    if (boundMicros > left) waitsFor ??= budget.name;
  }
  return waitsFor === null ? { decision: 'granted' } : { decision: 'waits', budget: waitsFor };
}

/** The account with what the call holds. */
export function withHold(account: Account, { boundMicros }: Pick<Hold, 'boundMicros'>): Account {
  return { ...account, heldMicros: sum(account.heldMicros, boundMicros) };
}

/** The account after a call of it ended, or after more became known of one that had. */
export function withEnd(account: Account, hold: Hold, end: CallEnd): Account {
  const { boundMicros, model } = hold;
  // An old call takes nothing from a new period, nor gives anything to it.
  if (hold.startMs !== account.startMs) return account;
  const freed =
    hold.state === 'held'
      ? { ...account, heldMicros: account.heldMicros - boundMicros }
      : { ...account, unknownMicros: account.unknownMicros - boundMicros };
  if (end.end === 'unsent') return freed;
  if (end.end === 'unknown') {
    return { ...freed, unknownMicros: sum(freed.unknownMicros, boundMicros) };
  }
  const isOver = end.micros > boundMicros && !account.overBound.includes(model);
  return {
    ...freed,
    settledMicros: sum(freed.settledMicros, end.micros),
    overBound: isOver ? [...account.overBound, model] : account.overBound,
  };
}

/** What a server claims must not make a sum that is no integer any more. */
function sum(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
}
