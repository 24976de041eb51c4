/** Batches over the built-in broker. */

import type { Client } from '../../client/index.ts';
import { limits } from '../../protocol/index.ts';
import type { BatchState, BudgetedQueue } from '../port-budgets.ts';

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
