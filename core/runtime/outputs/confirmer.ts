/**
 * Says to the broker what became of files, behind the work: all that gathered while one sync is under way
 * shares the next one, and goes in one frame.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffRange, backoffMs } from '../../base/index.ts';
import { AiqError, type JobQueue, type WrittenOutput } from '../../job-queue/index.ts';

export interface ConfirmerOptions {
  readonly queue: Pick<JobQueue, 'written'>;
  /** Makes durable what was written into the folder before. */
  readonly sync: () => Promise<void>;
  /** The sync failed: nothing of it was confirmed. */
  readonly onSyncFailed: (error: unknown) => void;
}

const pauses: BackoffRange = { minMs: 50, maxMs: 5_000 };

export class Confirmer {
  readonly #options: ConfirmerOptions;
  readonly #closing = new AbortController();
  #items: WrittenOutput[] = [];
  #running: Promise<void> | null = null;

  constructor(options: ConfirmerOptions) {
    this.#options = options;
  }

  add(item: WrittenOutput): void {
    this.#items.push(item);
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Resolves once nothing waits to be said. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** Says nothing more: the next consumer checks the files again. */
  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    // What the same turn brings goes together.
    await new Promise(setImmediate);
    while (this.#items.length > 0 && !this.#closing.signal.aborted) {
      const items = this.#items.splice(0);
      try {
        if (items.some(({ written }) => written)) await this.#options.sync();
      } catch (error) {
        this.#options.onSyncFailed(error);
        continue;
      }
      await this.#say(items);
    }
  }

  async #say(items: readonly WrittenOutput[]): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#options.queue.written(items);
        return;
      } catch (error) {
        if (!(error instanceof AiqError) || !error.retryable) return;
      }
      await sleep(backoffMs(failures, pauses), undefined, { signal }).catch(() => {});
    }
  }
}
