/**
 * A share of the hostile programme, beside a good client: nothing here is measured in time. All of
 * it, with latencies: `npm run test:hostile`.
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { attackOf } from '../hostile/attacks.ts';
import { prepare, problemsOf, round } from '../hostile/measure.ts';
import { Stage } from '../hostile/stage.ts';

const seconds = 0.5;
/** Far more than it needs, far less than an attack that succeeds makes it take. */
const memoryMiBMax = 600;

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});

afterAll(async () => {
  await stage.close();
});

test.each([
  'amp-list',
  'amp-inspect',
  'readers',
  'blobs',
  'searches',
  'fuzz',
  'fresh',
  'idle',
  'gone',
  'proofs',
  'halfopen',
])('an attack hurts nobody else: %s', async (name) => {
  const attack = attackOf(name);
  const stock = await prepare(stage, attack);
  const one = await round(stage, { attack: name, burnShare: 0, seconds, stock });
  expect(stage.isAlive(), stage.said).toBe(true);
  expect(problemsOf(one)).toEqual([]);
  expect(one.seen.latenciesMs.length).toBeGreaterThan(0);
  expect(one.received.served).toBeGreaterThan(0);
  expect(stage.memory().peakMiB).toBeLessThan(memoryMiBMax);
});
