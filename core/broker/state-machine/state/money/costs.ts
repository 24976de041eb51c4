/** What calls cost by day, agent, model and batch. What is held is not in it: see `MoneyStore.costRows`. */

import { unknownCostMicros } from '../../../../protocol/index.ts';
import type { RecordOf } from '../../records/records.ts';

export type CostRow = RecordOf<'costs'>;

type Charged = RecordOf<'charged'>['charges'][number];

/** Whose call it was, and when. */
type Key = Pick<CostRow, 'day' | 'agent' | 'model' | 'batch'>;

/** Rows that are kept; beyond them the oldest batches are counted together, and then the oldest days go. */
const rowsMax = 100_000;
/** Bytes of a row's record with its frame, texts aside. */
const recordBytes = 128;

export class CostTable {
  /** In the order in which they came. */
  readonly #rows: Map<string, CostRow> = new Map();
  #rewriteBytes = 0;

  get rewriteBytes(): number {
    return this.#rewriteBytes;
  }

  rows(): Iterable<CostRow> {
    return this.#rows.values();
  }

  /** A call ended; its cost goes where it began. */
  add(key: Key, { end, hold, usage }: Charged): void {
    const row = this.#rows.get(keyOf(key)) ?? emptyRow(key);
    if (end === 'unsent') return;
    const { calls, inputTokens, outputTokens, costMicros, estimated } = usage;
    const isPriced = costMicros !== unknownCostMicros;
    const micros = isPriced ? costMicros : 0;
    const isSettled = end === 'settled';
    // What an unknown call may have cost is in its hold, where it has one.
    const unknownMicros = isSettled || hold !== 0 ? 0 : micros;
    this.set({
      ...row,
      calls: sum(row.calls, isSettled ? calls : 0),
      inputTokens: sum(row.inputTokens, inputTokens),
      outputTokens: sum(row.outputTokens, outputTokens),
      settledMicros: sum(row.settledMicros, isSettled ? micros : 0),
      unknownMicros: sum(row.unknownMicros, unknownMicros),
      unknownCalls: sum(row.unknownCalls, isSettled || hold !== 0 ? 0 : 1),
      unpricedCalls: sum(row.unpricedCalls, isPriced ? 0 : calls),
      estimatedCalls: sum(row.estimatedCalls, estimated ? calls : 0),
    });
  }

  /** The row is this from here on. */
  set(row: CostRow): void {
    const key = keyOf(row);
    if (!this.#rows.has(key)) this.#rewriteBytes += bytesOf(row);
    this.#rows.set(key, row);
    if (this.#rows.size <= rowsMax) return;
    const [oldest] = this.#rows;
    if (oldest === undefined) return;
    this.#rows.delete(oldest[0]);
    this.#rewriteBytes -= bytesOf(oldest[1]);
    if (oldest[1].batch !== '') this.#join({ ...oldest[1], batch: '' });
  }

  /** Adds the counts of a row to those of another. */
  #join(row: CostRow): void {
    const known = this.#rows.get(keyOf(row)) ?? emptyRow(row);
    const counts = counted.map((name) => [name, sum(known[name], row[name])]);
    this.set({
      ...known,
      ...(Object.fromEntries(counts) as Pick<CostRow, (typeof counted)[number]>),
    });
  }
}

const counted = [
  'calls',
  'inputTokens',
  'outputTokens',
  'settledMicros',
  'unknownMicros',
  'unknownCalls',
  'unpricedCalls',
  'estimatedCalls',
] as const;

export function emptyRow({ day, agent, model, batch }: Key): CostRow {
  return {
    kind: 'costs',
    day,
    agent,
    model,
    batch,
    calls: 0,
    inputTokens: 0,
    outputTokens: 0,
    settledMicros: 0,
    unknownMicros: 0,
    unknownCalls: 0,
    unpricedCalls: 0,
    estimatedCalls: 0,
  };
}

/** Names of agents and batches have no white space. */
export function keyOf({ day, agent, model, batch }: Key): string {
  return `${day} ${agent} ${batch} ${model}`;
}

function bytesOf({ agent, model, batch }: Key): number {
  return recordBytes + 3 * (agent.length + model.length + batch.length);
}

/** Sums stop at what a record can hold. */
export function sum(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
}
