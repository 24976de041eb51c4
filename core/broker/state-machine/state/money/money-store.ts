/**
 * The durable side of money: budgets with their accounts, what calls hold, and what they cost by day, agent
 * and model. It decides nothing; the rule is in `core/gate/`.
 */

import {
  type Account,
  type Budget,
  type CallEnd,
  type Hold,
  newAccount,
  periodAt,
  withEnd,
  withHold,
} from '../../../../gate/index.ts';
import type { LogRecord, RecordOf } from '../../records/records.ts';
import { type CostRow, CostTable, emptyRow, keyOf, sum } from './costs.ts';
import { bytesOfBudget, bytesOfHold, bytesOfJob } from './money-bytes.ts';

export type Charged = RecordOf<'charged'>['charges'][number];
export type Terms = RecordOf<'budgetSet'>['terms'];

export interface BudgetEntry {
  readonly terms: Terms;
  /** The terms with the amount that counts. */
  readonly budget: Budget;
  /** Empty for a budget for each job: see `accountOf`. */
  readonly account: Account;
  /** When the next period begins; null for never. */
  readonly endMs: number | null;
}

/** What a call holds. */
export type HoldEntry = RecordOf<'reserved'>;

/** Of the calls of a day: what is settled, and what is held. */
export interface CostsOfDay extends CostRow {
  readonly heldMicros: number;
}

export class MoneyStore {
  readonly costs: CostTable = new CostTable();
  readonly #budgets: Map<string, BudgetEntry> = new Map();
  readonly #holds: Map<number, HoldEntry> = new Map();
  readonly #holdsOf: Map<string, Set<number>> = new Map();
  /** Accounts of budgets for each job: by job, then by budget. */
  readonly #jobs: Map<string, Map<string, Account>> = new Map();
  #rewriteBytes = 0;
  /** When the next period of any budget begins; null for never. */
  nextPeriodMs: number | null = null;
  /** How often money changed. */
  changes = 0;

  get budgets(): ReadonlyMap<string, BudgetEntry> {
    return this.#budgets;
  }

  /** By number, the oldest first. */
  get holds(): ReadonlyMap<number, HoldEntry> {
    return this.#holds;
  }

  /** Holds of calls of the job that are under way. */
  openHoldsOf(id: string): HoldEntry[] {
    const numbers = this.#holdsOf.get(id);
    if (numbers === undefined) return [];
    const holds = [...numbers].flatMap((number) => this.#holds.get(number) ?? []);
    return holds.filter(({ unknown }) => !unknown);
  }

  /** What calls cost by day, agent and model, with what they hold. */
  costRows(): CostsOfDay[] {
    const rows = new Map<string, CostsOfDay>();
    for (const row of this.costs.rows())
      rows.set(keyOf(row), { ...emptyRow(row), ...row, heldMicros: 0 });
    for (const hold of this.#holds.values()) {
      const { boundMicros, unknown } = hold;
      const row = rows.get(keyOf(hold)) ?? { ...emptyRow(hold), heldMicros: 0 };
      rows.set(keyOf(hold), {
        ...row,
        heldMicros: sum(row.heldMicros, unknown ? 0 : boundMicros),
        unknownMicros: sum(row.unknownMicros, unknown ? boundMicros : 0),
        unknownCalls: row.unknownCalls + Number(unknown),
      });
    }
    return [...rows.values()];
  }

  /** The account that counts a call of the job. */
  accountOf({ budget, account }: BudgetEntry, id: string): Account {
    if (budget.per !== 'job') return account;
    return this.#jobs.get(id)?.get(budget.name) ?? account;
  }

  /** All that is counted under a budget: of one for each job the sums of all jobs that are not over. */
  totalOf({ budget, account }: BudgetEntry): Account {
    if (budget.per !== 'job') return account;
    const accounts = [...this.#jobs.values()].flatMap((ofJob) => ofJob.get(budget.name) ?? []);
    return accounts.reduce(
      (all, one) => ({
        startMs: 0,
        settledMicros: sum(all.settledMicros, one.settledMicros),
        heldMicros: sum(all.heldMicros, one.heldMicros),
        unknownMicros: sum(all.unknownMicros, one.unknownMicros),
        overBound: [...new Set([...all.overBound, ...one.overBound])],
      }),
      account,
    );
  }

  set({ terms, amountMicros, startMs, settledMicros, overBound }: RecordOf<'budgetSet'>): void {
    const { name } = terms;
    const { currency: _, ...budget } = { ...terms, amountMicros };
    let account: Account = { ...newAccount(startMs), settledMicros, overBound };
    const { endMs } = periodAt(budget, startMs);
    if (terms.per === 'job') this.#countHoldsOfJobs(name);
    else for (const hold of this.#holds.values()) account = withHoldOf(account, name, hold);
    this.#budgets.set(name, { terms, budget, account, endMs });
    this.#budgetsChanged();
  }

  /** What its calls hold goes on in other budgets alone. On replay its terms may be missing. */
  remove(name: string): void {
    this.#budgets.delete(name);
    for (const [id, accounts] of this.#jobs) {
      if (accounts.delete(name)) this.#rewriteBytes -= bytesOfJob(name);
      if (accounts.size === 0) this.#jobs.delete(id);
    }
    for (const hold of this.#holds.values()) this.#release(hold, (budget) => budget.name === name);
    this.#budgetsChanged();
  }

  /** Compaction writes those again that are there. */
  reserve(hold: HoldEntry): void {
    if (this.#holds.has(hold.hold)) return;
    this.#holds.set(hold.hold, hold);
    this.#holdsOf.set(hold.id, (this.#holdsOf.get(hold.id) ?? new Set()).add(hold.hold));
    this.#rewriteBytes += bytesOfHold(hold);
    this.#change(hold, (account, { name }) => withHoldOf(account, name, hold));
  }

  /** A hold that is not there was charged before. */
  charge(charge: Charged): void {
    if (charge.hold === 0) {
      this.costs.add(charge, charge);
      return;
    }
    const hold = this.#holds.get(charge.hold);
    if (hold === undefined) return;
    this.changes += 1;
    const end = callEndOf(charge);
    this.#change(hold, (account, { startMs }) => withEnd(account, holdOf(hold, startMs), end));
    if (end.end === 'unknown') {
      this.#holds.set(hold.hold, { ...hold, unknown: true });
      return;
    }
    this.#drop(hold);
    this.costs.add(hold, charge);
  }

  jobSettled({ name, id, settledMicros, overBound }: RecordOf<'jobSettled'>): void {
    const account = this.#jobs.get(id)?.get(name) ?? newAccount(0);
    this.#setOfJob(id, name, { ...account, settledMicros, overBound });
  }

  /** Whether there may be something that `jobOver` changes. */
  get countsJobs(): boolean {
    return this.#jobs.size + this.#holds.size > 0;
  }

  /** The job is over: what it used of budgets for each job binds no call any more. */
  jobOver(id: string): void {
    for (const name of this.#jobs.get(id)?.keys() ?? []) this.#rewriteBytes -= bytesOfJob(name);
    this.#jobs.delete(id);
    for (const number of this.#holdsOf.get(id) ?? []) {
      const hold = this.#holds.get(number);
      if (hold !== undefined) this.#release(hold, ({ forJob }) => forJob);
    }
  }

  /** After replay: a summary may say what calls of a job cost, and not that the job was over. */
  afterReplay(isOpen: (id: string) => boolean): void {
    const ids = new Set([...this.#jobs.keys(), ...this.#holdsOf.keys()]);
    for (const id of ids) if (!isOpen(id)) this.jobOver(id);
  }

  /** Upper bound of the bytes that `rewriteRecords` adds to the log. */
  get rewriteBytes(): number {
    let bytes = this.#rewriteBytes + this.costs.rewriteBytes;
    for (const { terms, account } of this.#budgets.values()) {
      bytes += bytesOfBudget({ terms, overBound: account.overBound });
    }
    return bytes;
  }

  /** The records that make the same state: see `BrokerState.smallState`. */
  *rewriteRecords(atMs: number): Generator<LogRecord> {
    for (const { terms, budget, account } of this.#budgets.values()) {
      const { startMs, settledMicros, overBound } = account;
      const used = { startMs, settledMicros, overBound: [...overBound] };
      yield { kind: 'budgetSet', terms, amountMicros: budget.amountMicros, ...used, atMs };
    }
    for (const [id, accounts] of this.#jobs) {
      for (const [name, { settledMicros, overBound }] of accounts) {
        yield { kind: 'jobSettled', name, id, settledMicros, overBound: [...overBound] };
      }
    }
    yield* this.costs.rows();
    yield* this.#holds.values();
  }

  #budgetsChanged(): void {
    this.changes += 1;
    const ends = [...this.#budgets.values()].flatMap(({ endMs }) => endMs ?? []);
    this.nextPeriodMs = ends.length === 0 ? null : Math.min(...ends);
  }

  #drop({ hold, id }: HoldEntry): void {
    const entry = this.#holds.get(hold);
    if (entry !== undefined) this.#rewriteBytes -= bytesOfHold(entry);
    this.#holds.delete(hold);
    const ofJob = this.#holdsOf.get(id);
    ofJob?.delete(hold);
    if (ofJob?.size === 0) this.#holdsOf.delete(id);
  }

  /** Changes the accounts of all budgets that the hold is in. */
  #change(
    hold: HoldEntry,
    change: (account: Account, of: HoldEntry['budgets'][number]) => Account,
  ): void {
    for (const of of hold.budgets) {
      const entry = this.#budgets.get(of.name);
      if (entry === undefined) continue;
      const account = change(this.accountOf(entry, hold.id), of);
      if (entry.budget.per === 'job') this.#setOfJob(hold.id, of.name, account);
      else this.#budgets.set(of.name, { ...entry, account });
    }
  }

  /** What the hold holds in these budgets is no longer theirs. */
  #release(hold: HoldEntry, isOf: (budget: HoldEntry['budgets'][number]) => boolean): void {
    const budgets = hold.budgets.filter((budget) => !isOf(budget));
    if (budgets.length === hold.budgets.length) return;
    const left = { ...hold, budgets };
    this.#holds.set(hold.hold, left);
    this.#rewriteBytes += bytesOfHold(left) - bytesOfHold(hold);
  }

  /** Accounts of a budget for each job hold what the holds say. */
  #countHoldsOfJobs(name: string): void {
    for (const accounts of this.#jobs.values()) {
      const account = accounts.get(name);
      if (account !== undefined)
        accounts.set(name, { ...account, heldMicros: 0, unknownMicros: 0 });
    }
    for (const hold of this.#holds.values()) {
      if (!hold.budgets.some((budget) => budget.name === name)) continue;
      const account = this.#jobs.get(hold.id)?.get(name) ?? newAccount(0);
      this.#setOfJob(hold.id, name, withHoldOf(account, name, hold));
    }
  }

  #setOfJob(id: string, name: string, account: Account): void {
    const ofJob = this.#jobs.get(id) ?? new Map<string, Account>();
    this.#jobs.set(id, ofJob);
    if (!ofJob.has(name)) this.#rewriteBytes += bytesOfJob(name);
    ofJob.set(name, account);
  }
}

/** The account with the hold, where it is in that budget and its period. */
function withHoldOf(account: Account, budget: string, hold: HoldEntry): Account {
  const isIn = hold.budgets.some(
    ({ name, startMs }) => name === budget && startMs === account.startMs,
  );
  if (!isIn) return account;
  const held = withHold(account, hold);
  return hold.unknown
    ? withEnd(held, { ...holdOf(hold, account.startMs), state: 'held' }, { end: 'unknown' })
    : held;
}

function holdOf({ model, boundMicros, unknown }: HoldEntry, startMs: number): Hold {
  return { model, boundMicros, startMs, state: unknown ? 'unknown' : 'held' };
}

function callEndOf({ end, usage }: Charged): CallEnd {
  return end === 'settled' ? { end, micros: usage.costMicros } : { end };
}
