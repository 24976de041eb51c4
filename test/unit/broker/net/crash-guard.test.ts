/** When a dead I/O thread may start again. */

import { expect, it } from 'vitest';
import { createCrashGuard } from '../../../../core/broker/net/pool/crash-guard.ts';

const limits = { restartsMax: 3, restartWindowMs: 1_000, restartDelayMs: 10 };

it('waits longer before each restart and gives up when too many threads died in the window', () => {
  const guard = createCrashGuard(limits);
  expect([0, 1, 2, 3].map(guard)).toEqual([10, 20, 40, null]);
});

it('forgets what died before the window, so that rare deaths never add up', () => {
  const guard = createCrashGuard(limits);
  const everyHalfWindow = Array.from({ length: 20 }, (_, count) => guard(count * 500));
  expect(everyHalfWindow).toEqual([10, ...Array<number>(19).fill(20)]);
});
