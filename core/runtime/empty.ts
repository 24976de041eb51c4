/** When a run until the queues are empty is over: nothing ready, delayed or leased, by anybody. */

import { setTimeout as sleep } from 'node:timers/promises';
import { AiqError, type JobQueue } from '../queue/index.ts';

export interface EmptyOptions {
  readonly queue: Pick<JobQueue, 'stats'>;
  readonly queues: readonly string[];
  /** Resolves when no lease is held here. */
  readonly idle: () => Promise<void>;
  /** Aborted when the runtime stops for another reason. */
  readonly stopped: AbortSignal;
}

const pollMs = 100;
/** A broker that stays away this long is given up. */
const absentMsMax = 60_000;

/**
 * Resolves when the queues are empty, or the runtime stops.
 * @throws AiqError when the broker cannot be asked for a minute
 */
export async function untilEmpty({ queue, queues, idle, stopped }: EmptyOptions): Promise<void> {
  const { promise: stop, resolve } = Promise.withResolvers<void>();
  stopped.addEventListener('abort', () => resolve(), { once: true });
  let answeredAtMs = performance.now();
  while (!stopped.aborted) {
    await Promise.race([idle(), stop]);
    try {
      if ((await openJobs(queue, queues)) === 0) return;
      answeredAtMs = performance.now();
    } catch (error) {
      const isPassing = error instanceof AiqError && error.retryable;
      if (!isPassing || performance.now() - answeredAtMs > absentMsMax) throw error;
    }
    await Promise.race([sleep(pollMs), stop]);
  }
}

async function openJobs(queue: EmptyOptions['queue'], queues: readonly string[]): Promise<number> {
  const stats = await queue.stats(queues);
  return stats.queues.reduce((sum, one) => sum + one.ready + one.delayed + one.leased, 0);
}
