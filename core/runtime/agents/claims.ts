/** Finds jobs that others put aside for want of their definition, as long as a consumer runs. */

import type { JobQueue, QueueInfo } from '../../job-queue/index.ts';
import type { Definitions } from './definitions.ts';

export interface ClaimsOptions {
  readonly queue: Pick<JobQueue, 'stats'>;
  readonly definitions: Pick<Definitions, 'claim'>;
}

const claimMs = 5_000;

export class Claims {
  readonly #options: ClaimsOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Checks at once, and then every few seconds. */
  start(queues: readonly string[]): void {
    void this.#claim(queues);
    this.#timer = setInterval(() => void this.#check(queues), claimMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Wakes what is ours in these queues; resolves with the number. */
  async wake(rows: readonly QueueInfo[]): Promise<number> {
    const parked = rows.filter((row) => row.parked > 0);
    return parked.length === 0 ? 0 : this.#claim(parked.map(({ queue }) => queue));
  }

  async #check(queues: readonly string[]): Promise<void> {
    const stats = await this.#options.queue.stats(queues).catch(() => null);
    await this.wake(stats?.queues ?? []);
  }

  /** What fails now is tried again in a moment. */
  async #claim(queues: readonly string[]): Promise<number> {
    return this.#options.definitions.claim(queues).catch(() => 0);
  }
}
