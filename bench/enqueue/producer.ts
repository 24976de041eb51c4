/**
 * The client's side of a comparison, in a process of its own: one connected producer, told by its
 * parent what to do. Both sides run the same loop.
 */

import type { Producer } from './sides.ts';

/** How jobs are handed over: so many in each call, and so many calls at one time. */
export interface Shape {
  readonly batch: number;
  readonly calls: number;
}

export interface Order {
  /** Of the queue; every window has its own. */
  readonly queue: string;
  readonly shape: Shape;
  readonly warmUpMs: number;
  /** Length of the window; null runs until `jobsMax` alone. */
  readonly runMs: number;
  readonly jobsMax: number;
}

export interface Outcome {
  /** Jobs that were acknowledged within the window. */
  readonly jobs: number;
  /** Jobs that were acknowledged in all. */
  readonly all: number;
  readonly windowMs: number;
  /** Processor time of this process for each job, microseconds. */
  readonly clientMicros: number;
}

/** Takes orders from the parent, one at a time, until it disconnects. */
export function serveOrders(producer: Producer): void {
  process.on('message', (order: Order) => {
    drive(producer, order).then(
      (outcome) => process.send?.(outcome),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}

/** Enqueues for as long as it is told, then empties the queue, so that no window inherits another's. */
async function drive(producer: Producer, order: Order): Promise<Outcome> {
  const { queue, shape, warmUpMs, runMs, jobsMax } = order;
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + runMs;
  let made = 0;
  let all = 0;
  let jobs = 0;
  const call = async (): Promise<void> => {
    while (made < jobsMax && performance.now() < endMs) {
      const first = made;
      made += shape.batch;
      await producer.enqueue(queue, first, shape.batch);
      all += shape.batch;
      const nowMs = performance.now();
      if (nowMs >= startMs && nowMs <= endMs) jobs += shape.batch;
    }
  };
  await Promise.all(Array.from({ length: shape.calls }, call));
  const { user, system } = process.cpuUsage(cpuBefore);
  await producer.empty(queue, all);
  return { jobs, all, windowMs: runMs, clientMicros: (user + system) / all };
}
