/** What days cost: no row is lost to another, and what is too old is counted together. */

import { expect, test } from 'vitest';
import { CostTable } from '../../../../../core/broker/state-machine/state/money/costs.ts';

function chargeOf(batch: string, costMicros: number) {
  const usage = { calls: 1, inputTokens: 1, outputTokens: 1, costMicros, estimated: false };
  return { hold: 0, end: 'settled', agent: 'a', model: 'm', batch, usage, day: 1 } as const;
}

test('beyond a hundred thousand rows the oldest batches are one, and nothing is lost', () => {
  const costs = new CostTable();
  const batches = 100_010;
  for (let batch = 1; batch <= batches; batch++) {
    const charge = chargeOf(`${batch}`, 2);
    costs.add(charge, charge);
  }
  const rows = [...costs.rows()];
  expect(rows).toHaveLength(100_000);
  expect(rows.reduce((sum, { settledMicros }) => sum + settledMicros, 0)).toBe(2 * batches);
  expect(rows.reduce((sum, { calls }) => sum + calls, 0)).toBe(batches);
  const joined = rows.find(({ batch }) => batch === '');
  expect(joined?.calls).toBeGreaterThan(10);
  expect(rows.some(({ batch }) => batch === `${batches}`)).toBe(true);
});
