/** Counting the connections of several threads in shared memory. */

import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { Crowd, createCrowdCells } from '../../../core/broker/net/crowd.ts';

it('counts over all threads, and forgets those of one that died only', () => {
  const cells = createCrowdCells(3);
  const [one, two, three] = [0, 1, 2].map((thread) => new Crowd(cells, thread)) as [
    Crowd,
    Crowd,
    Crowd,
  ];
  one.add(1, 1);
  two.add(1, 1);
  two.add(1, 1);
  two.add(0, -1);
  for (const crowd of [one, two, three]) {
    expect([crowd.all, crowd.strangers]).toEqual([3, 2]);
  }
  two.clear();
  expect([three.all, three.strangers]).toEqual([1, 1]);
});

it('is the same memory in another thread', async () => {
  const cells = createCrowdCells(2);
  const script = 'Atomics.add(require("node:worker_threads").workerData, 2, 5)';
  const worker = new Worker(script, { eval: true, workerData: cells });
  await new Promise((resolve) => worker.once('exit', resolve));
  expect(new Crowd(cells, 0).all).toBe(5);
});
