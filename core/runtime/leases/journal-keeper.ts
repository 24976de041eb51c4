/**
 * The journals of the jobs that this process works on. What was paid for is kept with patience: over
 * lost connections, a full disk, and the end of the lease, after which the broker still takes it.
 */

import { AiqError, type Consumer, type JobQueue, type LeasedJob } from '../../job-queue/index.ts';
import type { Journal } from '../attempt/journal.ts';
import type { RuntimeLog } from '../options.ts';
import type { RunMoney } from './money-keeper.ts';
import { askPatiently, isPassing, isUnsupported } from './patience.ts';

export interface JournalKeeperOptions {
  readonly queue: Pick<JobQueue, 'journalGet'>;
  readonly log: Pick<RuntimeLog, 'warn'>;
  /** From 0 to 1. */
  readonly random: () => number;
}

export class JournalKeeper {
  readonly #options: JournalKeeperOptions;
  readonly #closing = new AbortController();
  /** What waits to be kept, by job and hash: it was paid, whatever the broker knows. */
  readonly #waiting = new Map<string, { value: Uint8Array; asking: Promise<unknown> }>();
  #isServed = true;

  constructor(options: JournalKeeperOptions) {
    this.#options = options;
  }

  /**
   * The journal of the job, as the holder of this lease may use it, and go on using it. The charge of a call
   * goes with its answer; where that is not kept it goes alone.
   */
  of(
    leased: Pick<LeasedJob, 'token'>,
    consumer: Pick<Consumer, 'journalPut'>,
    money: Pick<RunMoney, 'take' | 'deliver'>,
  ): Journal {
    const { id } = leased.token;
    return {
      get: (callHash) => this.#get(id, callHash),
      put: async (callHash, value, call) => {
        const charge = call === undefined ? null : money.take(call);
        const put = () => consumer.journalPut(leased, callHash, value, charge ?? undefined);
        const stored = await this.#put(keyOf(id, callHash), value, put);
        if (stored === null && charge !== null) money.deliver(charge);
        return stored ?? value;
      },
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

  /** Null where it is not kept. */
  async #put(
    key: string,
    value: Uint8Array,
    ask: () => Promise<Uint8Array>,
  ): Promise<Uint8Array | null> {
    const asking = this.#retryUntilClosed(ask);
    this.#waiting.set(key, { value, asking });
    const stored = await asking;
    if (this.#waiting.get(key)?.asking === asking) this.#waiting.delete(key);
    if (stored === null && this.#closing.signal.aborted) {
      this.#options.log.warn({ entry: key }, 'a paid answer was not kept: it will be bought again');
    }
    return stored;
  }

  /** Asks until there is an answer; null when there will be none. */
  async #retryUntilClosed<T>(ask: () => Promise<T>): Promise<T | null> {
    const { log, random } = this.#options;
    try {
      return await askPatiently(ask, {
        random,
        signal: this.#closing.signal,
        isWanted: () => this.#isServed,
        isFinal: (error) => !isPassing(error) || isFull(error),
        onDelay: (error) => {
          log.warn({ error: String(error) }, 'the journal cannot be reached: trying again');
        },
      });
    } catch (error) {
      return this.#refused(error);
    }
  }

  #refused(error: unknown): null {
    const { log } = this.#options;
    if (!isUnsupported(error)) {
      log.warn({ error: String(error) }, 'the journal refused');
    } else if (this.#isServed) {
      this.#isServed = false;
      log.warn({}, 'this broker keeps no journal: what a crash loses is bought again');
    }
    return null;
  }
}

/** A broker that holds as many entries as it may has no room soon; any other obstacle goes away. */
function isFull(error: unknown): boolean {
  return error instanceof AiqError && error.code === 'QUEUE_FULL';
}

function keyOf(id: string, callHash: Uint8Array): string {
  return `${id} ${Buffer.from(callHash).toString('hex')}`;
}
