/** Counting the connections of several threads in shared memory. */

import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import {
  ConnectionCounts,
  createConnectionCountCells,
} from '../../../../core/broker/net/pool/connection-counts.ts';

it('counts over all threads, and forgets those of one that died only', () => {
  const cells = createConnectionCountCells(3);
  const [one, two, three] = [0, 1, 2].map((thread) => new ConnectionCounts(cells, thread)) as [
    ConnectionCounts,
    ConnectionCounts,
    ConnectionCounts,
  ];
  const countsSeenBy = (counts: ConnectionCounts) => [
    counts.count('client'),
    counts.count('unix'),
    counts.count('tcp'),
  ];
  one.add('unix', 1);
  two.add('tcp', 1);
  two.add('tcp', 1);
  two.add('tcp', -1);
  two.add('client', 1);
  for (const counts of [one, two, three]) expect(countsSeenBy(counts)).toEqual([1, 1, 1]);
  two.clear();
  expect(countsSeenBy(three)).toEqual([0, 1, 0]);
});

it('is the same memory in another thread', async () => {
  const cells = createConnectionCountCells(2);
  const script = 'Atomics.add(require("node:worker_threads").workerData, 3, 5)';
  const worker = new Worker(script, { eval: true, workerData: cells });
  await new Promise((resolve) => worker.once('exit', resolve));
  expect(new ConnectionCounts(cells, 0).count('client')).toBe(5);
});
