/**
 * The journals of the jobs that this process works on. What was paid for is kept with patience: over
 * lost connections, a full disk, and the end of the lease, after which the broker still takes it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { AiqError, type JobQueue, type LeasedJob } from '../queue/index.ts';
import type { Journal } from './job/journal.ts';
import type { RuntimeLog } from './options.ts';

export interface JournalKeeperOptions {
  readonly queue: Pick<JobQueue, 'journalGet' | 'journalPut'>;
  readonly log: Pick<RuntimeLog, 'warn'>;
  /** From 0 to 1. */
  readonly random?: () => number;
}

export interface JournalKeeper {
  of(leased: Pick<LeasedJob, 'token'>): Journal;
  /** Resolves once nothing waits to be kept. */
  idle(): Promise<void>;
  /** Gives up what still waits. */
  close(): void;
}

const pauseMsMin = 100;
const pauseMsMax = 5_000;

/** A broker that holds as many entries as it may has no room soon; any other obstacle goes away. */
function isPassing(error: unknown): boolean {
  return error instanceof AiqError && error.retryable && error.code !== 'QUEUE_FULL';
}

export function keepJournals(options: JournalKeeperOptions): JournalKeeper {
  const { queue, log, random = Math.random } = options;
  const closing = new AbortController();
  const puts = new Set<Promise<unknown>>();
  let isServed = true;

  /** Asks until there is an answer; null when there will be none. */
  async function insist<T>(ask: () => Promise<T>): Promise<T | null> {
    for (let failures = 0; isServed && !closing.signal.aborted; failures++) {
      try {
        return await ask();
      } catch (error) {
        if (!isPassing(error)) return refused(error);
        if (failures === 0) {
          log.warn({ error: String(error) }, 'the journal cannot be reached: trying again');
        }
      }
      const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(failures, 10));
      const jitteredMs = pauseMs * (0.5 + random() / 2);
      await sleep(jitteredMs, undefined, { signal: closing.signal }).catch(() => {});
    }
    return null;
  }

  function refused(error: unknown): null {
    if (error instanceof AiqError && error.code === 'UNSUPPORTED') {
      if (isServed)
        log.warn({}, 'this broker keeps no journal: what a crash loses is bought again');
      isServed = false;
    } else {
      log.warn({ error: String(error) }, 'the journal refused');
    }
    return null;
  }

  async function put(token: LeasedJob['token'], callHash: Uint8Array, value: Uint8Array) {
    const asking = insist(() => queue.journalPut(token, callHash, value));
    puts.add(asking);
    const stands = await asking;
    puts.delete(asking);
    if (stands === null && closing.signal.aborted) {
      log.warn({ job: token.id }, 'a paid answer was not kept: it will be bought again');
    }
    return stands ?? value;
  }

  return {
    of: ({ token }) => ({
      get: (callHash) => insist(() => queue.journalGet(token.id, callHash)),
      put: (callHash, value) => put(token, callHash, value),
    }),
    async idle() {
      while (puts.size > 0) await Promise.all(puts);
    },
    close: () => closing.abort(),
  };
}
