/**
 * The journals of the jobs that this process works on. What was paid for is kept with patience: over
 * lost connections, a full disk, and the end of the lease, after which the broker still takes it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffRange, backoffMs, withJitter } from '../../base/index.ts';
import { AiqError, type Consumer, type JobQueue, type LeasedJob } from '../../job-queue/index.ts';
import type { Journal } from '../attempt/journal.ts';
import type { RuntimeLog } from '../options.ts';

export interface JournalKeeperOptions {
  readonly queue: Pick<JobQueue, 'journalGet'>;
  readonly log: Pick<RuntimeLog, 'warn'>;
  /** From 0 to 1. */
  readonly random: () => number;
}

const pauses: BackoffRange = { minMs: 100, maxMs: 5_000 };

export class JournalKeeper {
  readonly #options: JournalKeeperOptions;
  readonly #closing = new AbortController();
  /** What waits to be kept, by job and hash: it was paid, whatever the broker knows. */
  readonly #waiting = new Map<string, { value: Uint8Array; asking: Promise<unknown> }>();
  #isServed = true;

  constructor(options: JournalKeeperOptions) {
    this.#options = options;
  }

  /** The journal of the job, as the holder of this lease may use it, and go on using it. */
  of(leased: Pick<LeasedJob, 'token'>, consumer: Pick<Consumer, 'journalPut'>): Journal {
    const { id } = leased.token;
    return {
      get: (callHash) => this.#get(id, callHash),
      put: (callHash, value) =>
        this.#put(keyOf(id, callHash), value, () => consumer.journalPut(leased, callHash, value)),
    };
  }

  /** Resolves once nothing waits to be kept. */
  async idle(): Promise<void> {
    while (this.#waiting.size > 0) {
      await Promise.all([...this.#waiting.values()].map(({ asking }) => asking));
    }
  }

  /** Gives up what still waits. */
  close(): void {
    this.#closing.abort();
  }

  async #get(id: string, callHash: Uint8Array): Promise<Uint8Array | null> {
    const paid = this.#waiting.get(keyOf(id, callHash));
    return (
      paid?.value ?? this.#retryUntilClosed(() => this.#options.queue.journalGet(id, callHash))
    );
  }

  async #put(key: string, value: Uint8Array, ask: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const asking = this.#retryUntilClosed(ask);
    this.#waiting.set(key, { value, asking });
    const stored = await asking;
    if (this.#waiting.get(key)?.asking === asking) this.#waiting.delete(key);
    if (stored === null && this.#closing.signal.aborted) {
      this.#options.log.warn({ entry: key }, 'a paid answer was not kept: it will be bought again');
    }
    return stored ?? value;
  }

  /** Asks until there is an answer; null when there will be none. */
  async #retryUntilClosed<T>(ask: () => Promise<T>): Promise<T | null> {
    const { log, random } = this.#options;
    const { signal } = this.#closing;
    for (let failures = 0; this.#isServed && !signal.aborted; failures++) {
      try {
        return await ask();
      } catch (error) {
        if (!isPassing(error)) return this.#refused(error);
        if (failures === 0) {
          log.warn({ error: String(error) }, 'the journal cannot be reached: trying again');
        }
      }
      const pauseMs = withJitter(backoffMs(failures + 1, pauses), random);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
    return null;
  }

  #refused(error: unknown): null {
    const { log } = this.#options;
    if (!(error instanceof AiqError) || error.code !== 'UNSUPPORTED') {
      log.warn({ error: String(error) }, 'the journal refused');
    } else if (this.#isServed) {
      this.#isServed = false;
      log.warn({}, 'this broker keeps no journal: what a crash loses is bought again');
    }
    return null;
  }
}

/** A broker that holds as many entries as it may has no room soon; any other obstacle goes away. */
function isPassing(error: unknown): boolean {
  return error instanceof AiqError && error.retryable && error.code !== 'QUEUE_FULL';
}

function keyOf(id: string, callHash: Uint8Array): string {
  return `${id} ${Buffer.from(callHash).toString('hex')}`;
}
