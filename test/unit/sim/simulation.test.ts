/**
 * The share of the simulation that every run of the tests plays: `npm run test:sim` plays as many
 * seeds as asked for. A failure names the command that replays it.
 */

import { expect, test } from 'vitest';
import { simulate } from '../../sim/world.ts';

const firstSeed = 1;
const seeds = 40;
const steps = 2_000;

test(`${seeds} simulated histories from seed ${firstSeed} keep every promise`, async () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const { violations } = await simulate(seed, steps);
    const replay = `npm run test:sim -- --seed ${seed} --seeds 1 --steps ${steps}`;
    expect(violations, replay).toEqual([]);
  }
});

test('the same seed gives the same history, whatever was played before', async () => {
  const first = await simulate(7, 600);
  await simulate(8, 300);
  const second = await simulate(7, 600);
  expect(second.digest).toBe(first.digest);
  expect((await simulate(9, 600)).digest).not.toBe(first.digest);
});
