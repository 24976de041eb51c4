/** The budget of what is taken and not answered: counted over threads, shared by what is free. */

import { expect, it } from 'vitest';
import {
  createReceiveBudgetCells,
  ReceiveBudget,
} from '../../../../core/broker/net/receive-budget.ts';

const limits = { receiveBytesMax: 64_000, receiveBytesMin: 64 };

it('counts over all threads, and forgets what one that died held', () => {
  const cells = createReceiveBudgetCells(2);
  const [one, two] = [new ReceiveBudget(cells, 0, limits), new ReceiveBudget(cells, 1, limits)];
  one.add(1000);
  two.add(500);
  two.add(-100);
  expect([one.bytes, two.bytes]).toEqual([1400, 1400]);
  one.clear();
  expect(two.bytes).toBe(400);
});

it('leaves something for the next peer, however many take all that they may', () => {
  const receiveBudget = new ReceiveBudget(createReceiveBudgetCells(1), 0, limits);
  let heldBytes = 0;
  for (let peer = 0; peer < 100; peer++) {
    const share = Math.floor(receiveBudget.shareBytes);
    expect(share).toBeGreaterThanOrEqual(limits.receiveBytesMin);
    receiveBudget.add(share);
    heldBytes += share;
  }
  expect(heldBytes).toBeLessThan(limits.receiveBytesMax + 100 * limits.receiveBytesMin);
});
