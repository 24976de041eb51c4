/** The part of the port about money and batches: budgets, what calls cost, and what stops a batch. */

import type { BudgetTerms, JobState } from '../protocol/index.ts';

/** A budget as it is now. All money is in millionths of its currency. */
export interface BudgetState {
  readonly terms: BudgetTerms;
  /** The amount that counts, after raises. */
  readonly amountMicros: number;
  /** The present period; null where there is no calendar. */
  readonly period: { readonly startMs: number; readonly endMs: number } | null;
  readonly settledMicros: number;
  readonly heldMicros: number;
  readonly unknownMicros: number;
  /** Models that were billed above their bound: their calls under it stop. */
  readonly overBound: readonly string[];
  /** Jobs that wait for it. */
  readonly parked: number;
}

/** What the calls of a day cost, by agent, model and batch. */
export interface CostRow {
  /** Days since 1970, in UTC. */
  readonly day: number;
  readonly agent: string;
  readonly model: string;
  /** Empty for jobs in none, and for those of batches so old that their rows were joined. */
  readonly batch: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly settledMicros: number;
  readonly heldMicros: number;
  readonly unknownMicros: number;
  /** Calls of unknown cost, and calls without a price. */
  readonly unknownCalls: number;
  readonly unpricedCalls: number;
  /** Calls whose tokens were estimated, for the provider sent none. */
  readonly estimatedCalls: number;
}

/** A batch as it is now. */
export interface BatchState {
  readonly name: string;
  /** As `core/gate/stop-rule.ts` reads it; empty for the default. */
  readonly stopRule: string;
  /** Why its jobs wait; null while they run. */
  readonly stopped: string | null;
  readonly counts: Readonly<Record<Exclude<JobState, 'none'>, number>>;
  /** Jobs that are done or have failed an attempt; and of those, the ones that are not done. */
  readonly tried: number;
  readonly failed: number;
}

/** What an engine keeps of money and batches. */
export interface BudgetedQueue {
  budgets(): Promise<readonly BudgetState[]>;
  /**
   * Makes budgets known: new ones are added. With `replace`, known ones take the new terms.
   * @throws AiqError `CONFLICT` when one is known with other terms, and nothing is changed
   */
  setBudgets(
    budgets: readonly BudgetTerms[],
    options?: { readonly replace?: boolean },
  ): Promise<void>;
  removeBudgets(names: readonly string[]): Promise<void>;
  /**
   * Another amount from now on; jobs that it makes room for run on, in order.
   * @throws AiqError `NOT_FOUND`; `BAD_REQUEST` for no more than what is used
   */
  raiseBudget(name: string, amountMicros: number): Promise<void>;
  /**
   * What the unknown calls of the budget's period cost together, as a person found out who saw that their
   * bounds are `unknownMicros`.
   * @throws AiqError `NOT_FOUND`; `BAD_STATE` when there are none, or others by now
   */
  settleBudget(name: string, micros: number, unknownMicros: number): Promise<void>;
  /** What calls cost on those days, both included: see `CostRow`. */
  costs(dayMin: number, dayMax: number): Promise<readonly CostRow[]>;
  /**
   * Gives a batch its rule before its jobs come, and resolves with its name: the next number for an empty one.
   * @throws AiqError `BAD_REQUEST` for a rule that cannot be read
   */
  openBatch(name: string, stopRule: string): Promise<string>;
  /** @throws AiqError `NOT_FOUND` */
  resumeBatch(name: string): Promise<void>;
  /** The oldest first. */
  batches(): Promise<readonly BatchState[]>;
}
