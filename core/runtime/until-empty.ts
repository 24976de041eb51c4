/** When a run until the queues are empty is over: nothing ready, delayed or leased, by anybody. */

import { setTimeout as sleep } from 'node:timers/promises';
import { AiqError, type JobQueue, type QueueInfo } from '../job-queue/index.ts';
import type { StuckReason } from './providers/provider-health.ts';

export interface EmptyOptions {
  readonly queue: Pick<JobQueue, 'stats'>;
  readonly queues: readonly string[];
  /** Wakes parked jobs that can be worked on here after all; resolves with their number. */
  readonly claim?: (rows: readonly QueueInfo[]) => Promise<number>;
  /** Resolves when no lease is held here. */
  readonly idle: () => Promise<void>;
  /** Why the queue's jobs can only wait for a person; null when they can be worked on. */
  readonly stuckReason: (queue: string) => StuckReason | null;
  /** Aborted when the runtime stops for another reason. */
  readonly stopped: AbortSignal;
}

const pollMs = 100;
/** A broker that stays away this long is given up. */
const absentMsMax = 60_000;

/**
 * Resolves when the queues are empty or the runtime stops, with null; or when no consumer works on what
 * is left and it can only wait for a person, with the reason.
 * @throws AiqError when the broker cannot be asked for a minute
 */
export async function untilEmpty(options: EmptyOptions): Promise<StuckReason | null> {
  const { queue, queues, claim = async () => 0, idle, stuckReason, stopped } = options;
  const { promise: stop, resolve } = Promise.withResolvers<void>();
  stopped.addEventListener('abort', () => resolve(), { once: true });
  let answeredAtMs = performance.now();
  while (!stopped.aborted) {
    await Promise.race([idle(), stop]);
    try {
      const rows = (await queue.stats(queues)).queues;
      const open = rows.filter(hasOpenJobs);
      const isOver = open.length === 0 && (await claim(rows)) === 0;
      if (isOver) return null;
      const reasons = open.map((one) => (one.leased === 0 ? stuckReason(one.queue) : null));
      const [reason = null] = reasons;
      if (reason !== null && reasons.every((one) => one !== null)) return reason;
      answeredAtMs = performance.now();
    } catch (error) {
      const isPassing = error instanceof AiqError && error.retryable;
      if (!isPassing || performance.now() - answeredAtMs > absentMsMax) throw error;
    }
    await Promise.race([sleep(pollMs), stop]);
  }
  return null;
}

function hasOpenJobs({ ready, delayed, leased }: QueueInfo): boolean {
  return ready + delayed + leased > 0;
}
