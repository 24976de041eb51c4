/** Budgets, costs and batches over the built-in broker. */

import type { Client } from '../../client/index.ts';
import { limits } from '../../protocol/index.ts';
import type { BatchState, BudgetedQueue, CostRow } from '../port-budgets.ts';

type Money =
  | ('budgets' | 'setBudgets' | 'removeBudgets')
  | ('raiseBudget' | 'settleBudget' | 'costs');

export function moneyOf(client: Pick<Client, 'request'>): Pick<BudgetedQueue, Money> {
  return {
    async budgets() {
      const { budgets } = await client.request('Budgets', {});
      return budgets.map(({ startMs, endMs, ...budget }) => {
        return { ...budget, period: endMs === 0 ? null : { startMs, endMs } };
      });
    },
    async setBudgets(budgets, options) {
      const mode = options?.replace === true ? 'set' : 'declare';
      await client.request('SetBudgets', { mode, budgets: [...budgets] });
    },
    async removeBudgets(names) {
      await client.request('RemoveBudgets', { names: [...names] });
    },
    async raiseBudget(name, amountMicros) {
      await client.request('RaiseBudget', { name, amountMicros });
    },
    async settleBudget(name, micros, unknownMicros) {
      await client.request('SettleBudget', { name, micros, unknownMicros });
    },
    costs: (dayMin, dayMax) => costs(client, dayMin, dayMax),
  };
}

async function costs(
  client: Pick<Client, 'request'>,
  dayMin: number,
  dayMax: number,
): Promise<CostRow[]> {
  const rows: CostRow[] = [];
  let after = 0;
  do {
    const page = await client.request('Costs', {
      dayMin,
      dayMax,
      after,
      limit: limits.listRowsMax,
    });
    rows.push(...page.rows);
    after = page.next;
  } while (after !== 0);
  return rows;
}

export function batchesOf(
  client: Pick<Client, 'request'>,
): Pick<BudgetedQueue, 'openBatch' | 'resumeBatch' | 'batches'> {
  return {
    openBatch: async (name, stopRule) =>
      (await client.request('OpenBatch', { name, stopRule })).name,
    async resumeBatch(name) {
      await client.request('ResumeBatch', { name });
    },
    async batches() {
      const rows: BatchState[] = [];
      let after = 0;
      do {
        const page = await client.request('Batches', { after, limit: limits.listRowsMax });
        rows.push(...page.batches);
        after = page.next;
      } while (after !== 0);
      return rows;
    },
  };
}
