/**
 * The history: a searchable database of all jobs, live and finished, which can be rebuilt from the log
 * at any time. It follows the log in its own thread; the broker never waits for it, and its failure
 * affects search only.
 */

import { performance } from 'node:perf_hooks';
import { backoffMs } from '../../base/index.ts';
import { AiqError, type Message } from '../../protocol/index.ts';
import { Feeder, type RecordSource } from './feeder.ts';
import type { SearchFilter } from './search-query.ts';
import { HistoryThreadHandle, type ThreadEnd } from './thread-handle.ts';

export interface HistoryOptions {
  /** The database; SQLite keeps a second file beside it. Its folder exists. */
  readonly file: string;
  /** The log that it follows; a file of another log is discarded. */
  readonly logId: string;
  readonly log: RecordSource;
  /** Receives notices for the operator: rebuilds, and why search fails. */
  readonly onNotice: (text: string) => void;
  readonly limits?: Partial<HistoryLimits>;
}

export interface HistoryLimits {
  /** Longest wait of a search for its offset. */
  readonly waitMs: number;
  /** Time of one search, after which its page ends early. */
  readonly searchBudgetMs: number;
  /** How long records are gathered in the thread when no search waits. */
  readonly gatherMs: number;
  /** Waiting searches; each may be a page of a thousand jobs. */
  readonly searchesMax: number;
  /** Wait before the thread starts again; twice as long after each further failure, up to the max. */
  readonly restartMsMin: number;
  readonly restartMsMax: number;
}

const defaultLimits: HistoryLimits = {
  waitMs: 2_000,
  searchBudgetMs: 200,
  gatherMs: 500,
  searchesMax: 64,
  restartMsMin: 1_000,
  restartMsMax: 5 * 60_000,
};

export interface History {
  /** Records up to this offset of the log are searchable; 0 while that is unknown. */
  readonly offset: number;
  /** Durable records that are not searchable yet. */
  readonly lag: number;
  /** More of the log became durable. Cheap: call it after each group commit. */
  onDurable(): void;
  /** Pauses following the log, for example on a full disk; `false` resumes. */
  pause(isPaused: boolean): void;
  /**
   * A page of the jobs that meet all conditions. Waits a bounded time until records up to `minOffset`
   * are searchable; `offset` in the result is what it reached.
   * @throws AiqError (rejects with it) `BAD_REQUEST` when a condition makes no sense,
   *   `UNSUPPORTED` while the history is broken, `INTERNAL` when too many searches wait or the
   *   thread died over it, `SHUTTING_DOWN` after `close`
   */
  search(filter: SearchFilter, minOffset: number): Promise<Message<'SearchOk'>>;
  /** Resolves when thread and file are closed. */
  close(): Promise<void>;
}

/** Starts the history; it opens or rebuilds its file in the background. */
export function startHistory(options: HistoryOptions): History {
  return new LogHistory(options);
}

interface Waiter {
  readonly minOffset: number;
  readonly go: () => void;
}

class LogHistory implements History {
  readonly #options: HistoryOptions;
  readonly #limits: HistoryLimits;
  readonly #feeder: Feeder;
  readonly #waiters = new Set<Waiter>();
  #thread: HistoryThreadHandle | null = null;
  #offset = 0;
  #searching = 0;
  /** The error of the last failure; null once it works again. */
  #lastError: string | null = null;
  #failures = 0;
  #failedAtMs = 0;
  #mustRebuild = false;
  #isClosed = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#feeder = new Feeder({
      source: options.log,
      send: (chunk) => this.#thread?.apply(chunk),
      onGap: () => this.#startRebuild(),
      onNotice: options.onNotice,
    });
    this.#startThread();
  }

  get offset(): number {
    return this.#offset;
  }

  get lag(): number {
    return this.#options.log.durableOffset - this.#offset;
  }

  onDurable(): void {
    this.#feeder.onDurable();
  }

  pause(isPaused: boolean): void {
    this.#feeder.pause(isPaused);
  }

  async search(filter: SearchFilter, minOffset: number): Promise<Message<'SearchOk'>> {
    if (this.#searching >= this.#limits.searchesMax) {
      throw new AiqError('QUEUE_FULL', `${this.#searching} searches are waiting; try again later`);
    }
    this.#searching++;
    try {
      await this.#reached(minOffset);
      if (this.#isClosed) throw new AiqError('SHUTTING_DOWN', 'the broker is stopping');
      if (this.#thread === null) {
        throw new AiqError('UNSUPPORTED', `search is unavailable: ${this.#lastError}`);
      }
      return await this.#thread.search(filter);
    } finally {
      this.#searching--;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    this.#feeder.stop();
    this.#wake(Number.POSITIVE_INFINITY);
    await this.#thread?.close();
  }

  /** Resolves when the offset is reached, after `waitMs`, or when there is no thread. */
  async #reached(minOffset: number): Promise<void> {
    if (this.#offset >= minOffset || this.#thread === null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { minOffset, go: resolve };
    this.#waiters.add(waiter);
    const deadline = setTimeout(resolve, this.#limits.waitMs);
    this.#thread.applyUpTo(minOffset);
    this.#feeder.flush();
    await promise;
    clearTimeout(deadline);
    this.#waiters.delete(waiter);
  }

  #wake(offset: number): void {
    for (const { minOffset, go } of this.#waiters) {
      if (minOffset <= offset) go();
    }
  }

  #startThread(): void {
    const { file, log, logId } = this.#options;
    const { firstOffset, durableOffset } = log;
    const setup = {
      file,
      log: { logId, firstOffset, durableOffset },
      rebuild: this.#mustRebuild,
      searchBudgetMs: this.#limits.searchBudgetMs,
      gatherMs: this.#limits.gatherMs,
    };
    this.#thread = new HistoryThreadHandle(setup, {
      onOpened: (offset, rebuiltBecause) => this.#opened(offset, rebuiltBecause),
      onApplied: (offset, bytes) => this.#applied(offset, bytes),
      onEnd: (end) => this.#ended(end),
    });
  }

  #opened(offset: number, rebuiltBecause: string | null): void {
    if (this.#isClosed) return;
    if (rebuiltBecause !== null) {
      this.#options.onNotice(`history: rebuilt from the log, because ${rebuiltBecause}`);
    }
    this.#mustRebuild = false;
    this.#offset = offset;
    if (this.lag <= 0) this.#markHealthy();
    this.#feeder.begin(offset);
  }

  /** Called once it could write: on a full disk opening the file alone proves nothing. */
  #markHealthy(): void {
    if (this.#lastError !== null) this.#options.onNotice('history: search works again');
    this.#lastError = null;
  }

  #applied(offset: number, bytes: number): void {
    this.#offset = offset;
    this.#markHealthy();
    this.#feeder.applied(bytes);
    this.#wake(offset);
  }

  /** The log dropped records before they were read. */
  #startRebuild(): void {
    this.#options.onNotice(
      'history: rebuilt from the log, which dropped records before they were read',
    );
    this.#feeder.stop();
    this.#offset = 0;
    this.#mustRebuild = true;
    void this.#thread?.close();
  }

  #ended(end: ThreadEnd): void {
    this.#thread = null;
    this.#feeder.stop();
    if (this.#isClosed) return;
    if (end === 'closed') this.#startThread();
    else this.#failed(end.error, end.rebuild);
  }

  #failed(error: Error, rebuild: boolean): void {
    const { restartMsMin, restartMsMax } = this.#limits;
    const nowMs = performance.now();
    // After a long time without failures the backoff starts again.
    if (nowMs - this.#failedAtMs > 2 * restartMsMax) this.#failures = 0;
    this.#failedAtMs = nowMs;
    this.#failures += 1;
    const delayMs = backoffMs(this.#failures, { minMs: restartMsMin, maxMs: restartMsMax });
    this.#mustRebuild ||= rebuild;
    this.#lastError = `the history failed (${error.message})`;
    const next = `next attempt in ${Math.ceil(delayMs / 1000)} s`;
    this.#options.onNotice(`history: ${error.message}; search is unavailable; ${next}`);
    this.#restart = setTimeout(() => this.#startThread(), delayMs).unref();
    this.#wake(Number.POSITIVE_INFINITY);
  }
}
