/**
 * The history: a searchable database of all jobs, live and finished, which can be rebuilt from the log
 * at any time. A thread of its own reads the log from the disk, portion by portion: when a search asks,
 * when nothing happens, or when it is far behind. The broker never waits for it, and its failure affects
 * search only.
 */

import { performance } from 'node:perf_hooks';
import { backoffMs } from '../../base/index.ts';
import { AiqError, type Message } from '../../protocol/index.ts';
import type { SearchFilter } from './search-query.ts';
import { HistoryThreadHandle, type ThreadEnd } from './thread-handle.ts';

/** The log that the history follows. */
export interface FollowedLog {
  /** In hex; a file of another log is discarded. */
  readonly id: string;
  /** Offset of the first record that was not dropped. */
  readonly firstOffset: number;
  readonly durableOffset: number;
}

export interface HistoryOptions {
  /** The database; SQLite keeps a second file beside it. Its folder exists. */
  readonly file: string;
  readonly log: FollowedLog;
  /** Folder of the log's segments. */
  readonly logDir: string;
  /** Receives notices for the operator: rebuilds, and why search fails. */
  readonly onNotice: (text: string) => void;
  readonly limits?: Partial<HistoryLimits>;
}

export interface HistoryLimits {
  /** Longest wait of a search for its offset. */
  readonly waitMs: number;
  /** Time of one search, after which its page ends early. */
  readonly searchBudgetMs: number;
  /** Nothing became durable for this long: it may follow. */
  readonly quietMs: number;
  /** Records that it may be behind before it follows at any time. */
  readonly behindMax: number;
  /** Waiting searches; each may be a page of a thousand jobs. */
  readonly searchesMax: number;
  /** Wait before the thread starts again; twice as long after each further failure, up to the max. */
  readonly restartMsMin: number;
  readonly restartMsMax: number;
}

const historyLimitDefaults: HistoryLimits = {
  waitMs: 10_000,
  searchBudgetMs: 200,
  quietMs: 200,
  behindMax: 200_000,
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
   * Resolves when records up to `offset` are searchable, or it cannot follow just now, or after `waitMs`.
   * The log may drop them then; records that were not read make a rebuild.
   */
  reach(offset: number): Promise<void>;
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
  #isPaused = false;
  /** The thread is at work on a portion, or opens the file. */
  #isFollowing = true;
  #durableAtMs = Number.NEGATIVE_INFINITY;
  #quietTimer: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#limits = { ...historyLimitDefaults, ...options.limits };
    this.#startThread();
  }

  get offset(): number {
    return this.#offset;
  }

  get lag(): number {
    return this.#options.log.durableOffset - this.#offset;
  }

  onDurable(): void {
    this.#durableAtMs = performance.now();
    this.#quietTimer ??= this.#whenQuiet(this.#limits.quietMs);
    if (!this.#isFollowing && this.lag > this.#limits.behindMax) this.#follow();
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#follow();
  }

  reach(offset: number): Promise<void> {
    return this.#reached(offset);
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
    clearTimeout(this.#quietTimer);
    this.#wake(Number.POSITIVE_INFINITY);
    await this.#thread?.close();
  }

  /** Resolves when the offset is reached, after `waitMs`, or when it cannot be reached just now. */
  async #reached(minOffset: number): Promise<void> {
    if (this.#offset >= minOffset || this.#thread === null || this.#isPaused) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { minOffset, go: resolve };
    this.#waiters.add(waiter);
    const deadline = setTimeout(resolve, this.#limits.waitMs);
    this.#follow();
    await promise;
    clearTimeout(deadline);
    this.#waiters.delete(waiter);
  }

  #wake(offset: number): void {
    for (const { minOffset, go } of this.#waiters) {
      if (minOffset <= offset) go();
    }
  }

  #whenQuiet(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      const leftMs = this.#durableAtMs + this.#limits.quietMs - performance.now();
      this.#quietTimer = leftMs > 0 ? this.#whenQuiet(leftMs) : undefined;
      this.#follow();
    }, ms).unref();
  }

  /** Asks for the next portion when there is one, and it is time for it. */
  #follow(): void {
    if (this.#isFollowing || this.#isPaused || this.lag <= 0 || !this.#isTime) return;
    this.#isFollowing = true;
    this.#thread?.follow(this.#options.log.durableOffset);
  }

  get #isTime(): boolean {
    const isQuiet = this.#quietTimer === undefined;
    return isQuiet || this.#waiters.size > 0 || this.lag > this.#limits.behindMax;
  }

  #startThread(): void {
    const { file, log, logDir } = this.#options;
    const { firstOffset, durableOffset } = log;
    const setup = {
      file,
      log: { logId: log.id, firstOffset, durableOffset },
      logDir,
      rebuild: this.#mustRebuild,
      searchBudgetMs: this.#limits.searchBudgetMs,
    };
    this.#isFollowing = true;
    this.#thread = new HistoryThreadHandle(setup, {
      onOpened: (offset, rebuiltBecause) => this.#opened(offset, rebuiltBecause),
      onApplied: (offset) => this.#applied(offset),
      onDropped: () => this.#startRebuild(),
      onDamaged: (text) => this.#options.onNotice(`history: ${text}`),
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
    this.#isFollowing = false;
    this.#follow();
  }

  /** Called once it could write: on a full disk opening the file alone proves nothing. */
  #markHealthy(): void {
    if (this.#lastError !== null) this.#options.onNotice('history: search works again');
    this.#lastError = null;
  }

  #applied(offset: number): void {
    this.#offset = offset;
    this.#markHealthy();
    this.#wake(offset);
    this.#isFollowing = false;
    this.#follow();
  }

  /** The log dropped records before they were read. */
  #startRebuild(): void {
    this.#options.onNotice(
      'history: rebuilt from the log, which dropped records before they were read',
    );
    this.#offset = 0;
    this.#mustRebuild = true;
    void this.#thread?.close();
  }

  #ended(end: ThreadEnd): void {
    this.#thread = null;
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
