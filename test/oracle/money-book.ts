/** Money as the records of a log tell it: what each budget has, what calls hold, and what days cost. */

import type { RecordOf } from '../../core/broker/state-machine/records/records.ts';
import { unknownCostMicros } from '../../core/protocol/index.ts';
import { type History, UndoMap } from './undo-map.ts';

type Reserved = RecordOf<'reserved'>;
type Charged = RecordOf<'charged'>['charges'][number];
type Terms = RecordOf<'budgetSet'>['terms'];

export interface BookBudget {
  readonly terms: Terms;
  readonly amountMicros: number;
  readonly startMs: number;
}

export interface BookCosts {
  readonly calls: number;
  readonly settledMicros: number;
  /** Of calls that held nothing. */
  readonly unknownMicros: number;
}

export class MoneyBook {
  /** The budget that is never removed and never set anew. */
  static readonly cap = 'cap';
  readonly budgets: UndoMap<string, BookBudget>;
  readonly holds: UndoMap<number, Reserved>;
  /** By budget, period and, where it is for each job, job. */
  readonly settled: UndoMap<string, number>;
  /** By day, agent and model. */
  readonly costs: UndoMap<string, BookCosts>;

  /** Calls that hold, or held, money of it. */
  readonly #capped: UndoMap<number, true>;

  constructor(history: History) {
    this.#capped = new UndoMap(history);
    this.budgets = new UndoMap(history);
    this.holds = new UndoMap(history);
    this.settled = new UndoMap(history);
    this.costs = new UndoMap(history);
  }

  set({ terms, amountMicros, startMs, settledMicros }: RecordOf<'budgetSet'>): void {
    this.budgets.set(terms.name, { terms, amountMicros, startMs });
    if (terms.per !== 'job') this.settled.set(accountKey(terms.name, startMs), settledMicros);
  }

  remove(name: string): void {
    this.budgets.delete(name);
    for (const [number, hold] of this.holds) {
      const budgets = hold.budgets.filter((of) => of.name !== name);
      if (budgets.length < hold.budgets.length) this.holds.set(number, { ...hold, budgets });
    }
    for (const key of this.settled.keys()) {
      if (key.startsWith(`${name} `)) this.settled.delete(key);
    }
  }

  /** A call was granted: every budget had room for its bound, whatever was under way. */
  reserve(record: Reserved): void {
    const known = this.holds.get(record.hold);
    // Compaction writes it again.
    if (known !== undefined) {
      if (known.unknown !== record.unknown) throw new Error(`hold ${record.hold} was changed`);
      return;
    }
    for (const { name, startMs } of record.budgets) {
      const budget = this.budgets.get(name);
      if (budget === undefined) throw new Error(`a call holds money of ${name}, which is none`);
      if (budget.startMs !== startMs) throw new Error(`a call holds money of an old ${name}`);
      const spent = this.settledOf(name, record.id) + this.heldOf(name, record.id);
      if (spent + record.boundMicros > budget.amountMicros) {
        throw new Error(
          `a call of ${record.boundMicros} was granted by ${name}: ${spent} of ${budget.amountMicros} are spent`,
        );
      }
    }
    this.holds.set(record.hold, record);
    if (record.budgets.some(({ name }) => name === MoneyBook.cap)) {
      this.#capped.set(record.hold, true);
    }
  }

  charge(charge: Charged): void {
    if (charge.hold === 0) {
      this.#add(charge, charge);
      return;
    }
    const hold = this.holds.get(charge.hold);
    if (hold === undefined) throw new Error(`hold ${charge.hold} was charged twice`);
    if (charge.end === 'unknown') {
      this.holds.set(charge.hold, { ...hold, unknown: true });
      return;
    }
    this.holds.delete(charge.hold);
    if (charge.end === 'unsent') return;
    this.#add(hold, charge);
    for (const { name, startMs } of hold.budgets) {
      const budget = this.budgets.get(name);
      if (budget?.startMs !== startMs) continue;
      const key = this.#keyOf(budget, hold.id);
      this.settled.set(key, (this.settled.get(key) ?? 0) + charge.usage.costMicros);
    }
  }

  /** Compaction tells again what is known. */
  compareJob({ name, id, settledMicros }: RecordOf<'jobSettled'>): void {
    if (this.settledOf(name, id) !== settledMicros) throw new Error(`${name} of ${id} changed`);
  }

  compareCosts({ day, agent, model, batch, settledMicros }: RecordOf<'costs'>): void {
    const known = this.costs.get(`${day} ${agent} ${model} ${batch}`)?.settledMicros ?? 0;
    if (known !== settledMicros) throw new Error(`costs of ${model} changed`);
  }

  jobOver(id: string): void {
    for (const { terms } of this.budgets.values()) {
      if (terms.per === 'job') this.settled.delete(accountKey(terms.name, 0, id));
    }
    for (const [number, hold] of this.holds) {
      const budgets = hold.budgets.filter(({ forJob }) => !forJob || hold.id !== id);
      if (budgets.length < hold.budgets.length) this.holds.set(number, { ...hold, budgets });
    }
  }

  /** Why the records do not keep what they promise of the budget `cap`; null when they do. */
  problemOf(bills: ReadonlyMap<number, number>): string | null {
    const { cap } = MoneyBook;
    const budget = this.budgets.get(cap);
    if (budget === undefined) return null;
    let billed = 0;
    for (const [hold, micros] of bills) if (this.#capped.has(hold)) billed += micros;
    const known = this.settledOf(cap, '') + this.heldOf(cap, '');
    if (known < billed) return `${billed} were billed under ${cap}, and ${known} are known of it`;
    if (known <= budget.amountMicros) return null;
    return `${known} are used of ${cap}, which has ${budget.amountMicros}`;
  }

  /** What calls have settled of a budget in its period; of one for each job that job's. */
  settledOf(name: string, id: string): number {
    const budget = this.budgets.get(name);
    return budget === undefined ? 0 : (this.settled.get(this.#keyOf(budget, id)) ?? 0);
  }

  /** Bounds of its calls, under way or of unknown cost. */
  heldOf(name: string, id: string): number {
    const budget = this.budgets.get(name);
    let sum = 0;
    for (const hold of this.holds.values()) {
      if (budget?.terms.per === 'job' && hold.id !== id) continue;
      const isIn = hold.budgets.some((of) => of.name === name && of.startMs === budget?.startMs);
      if (isIn) sum += hold.boundMicros;
    }
    return sum;
  }

  #keyOf({ terms, startMs }: BookBudget, id: string): string {
    return accountKey(terms.name, startMs, terms.per === 'job' ? id : '');
  }

  #add(of: Pick<Charged, 'day' | 'agent' | 'model' | 'batch'>, charge: Charged): void {
    const key = `${of.day} ${of.agent} ${of.model} ${of.batch}`;
    const row = this.costs.get(key) ?? { calls: 0, settledMicros: 0, unknownMicros: 0 };
    const { costMicros, calls } = charge.usage;
    const micros = costMicros === unknownCostMicros ? 0 : costMicros;
    const isSettled = charge.end === 'settled';
    this.costs.set(key, {
      calls: row.calls + (isSettled ? calls : 0),
      settledMicros: row.settledMicros + (isSettled ? micros : 0),
      unknownMicros: row.unknownMicros + (isSettled ? 0 : micros),
    });
  }
}

function accountKey(name: string, startMs: number, id = ''): string {
  return `${name} ${startMs} ${id}`;
}
