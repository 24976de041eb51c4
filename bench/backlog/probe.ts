/** How long one job takes from its enqueue to its delivery on a queue of its own. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Consumer, type JobQueue, newJob } from '../../core/job-queue/index.ts';

const probeQueue = 'probe';
const pauseMs = 2;

export class Probe {
  readonly #queue: JobQueue;
  readonly #consumer: Consumer;
  readonly #arrivals: Map<string, () => void>;
  #count = 0;

  private constructor(queue: JobQueue, consumer: Consumer, arrivals: Map<string, () => void>) {
    this.#queue = queue;
    this.#consumer = consumer;
    this.#arrivals = arrivals;
  }

  static async open(queue: JobQueue): Promise<Probe> {
    const arrivals = new Map<string, () => void>();
    const consumer = await queue.consume({
      queues: [probeQueue],
      credit: 1,
      onDelivery: (leased) => {
        arrivals.get(leased.job.id)?.();
        void consumer.settle(leased, { outcome: 'ack' });
      },
      onLeaseLost: () => undefined,
    });
    return new Probe(queue, consumer, arrivals);
  }

  /** Milliseconds of each job, one after the other, until told to stop. */
  async sample(isOver: () => boolean): Promise<number[]> {
    const samples: number[] = [];
    while (!isOver()) {
      const input = { number: this.#count++, text: 'x'.repeat(1000) };
      const agentDigest = 'ab'.repeat(32);
      const job = newJob({ agent: 'bench', agentDigest, queue: probeQueue, input });
      const arrived = new Promise<void>((resolve) => {
        this.#arrivals.set(job.id, resolve);
      });
      const startMs = performance.now();
      await Promise.all([this.#queue.enqueue([job]), arrived]);
      this.#arrivals.delete(job.id);
      samples.push(performance.now() - startMs);
      await sleep(pauseMs);
    }
    return samples;
  }

  close(): Promise<void> {
    return this.#consumer.close();
  }
}
