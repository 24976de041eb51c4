/**
 * Compaction: rewrites the live records of the oldest segments at the end of the log, in small
 * portions, and drops those segments. It runs only where that frees clearly more than it writes, so
 * that an idle log comes to rest.
 */

import type { Log, Scheduler } from '../log/contract.ts';
import { NotCreatedError } from '../log/disk/disk.ts';
import { RetryDelay } from '../log/pause.ts';
import type { CoreEvent } from '../state-machine/context/effects.ts';
import type { QueueMachine } from '../state-machine/machine.ts';
import type { Problems } from './problems.ts';

export interface CompactorOptions {
  readonly machine: Pick<
    QueueMachine,
    | 'logLiveBytes'
    | 'compactionPlan'
    | 'isSmallStateRewritten'
    | 'isFullyRewritten'
    | 'rewrittenCount'
  >;
  /** Growth of dead bytes after which a run is planned. */
  readonly checkBytes: number;
  /** A full disk justifies a run that frees little. */
  readonly isDiskFull: () => boolean;
  /** Bytes that a run may write before it frees any. */
  readonly spareBytes: () => number;
  readonly run: (events: readonly CoreEvent[]) => void;
  /** Resolves when the reads in progress at the call have ended. */
  readonly readsDone: () => Promise<void>;
  readonly scheduler: Scheduler;
  /** Reads that have failed so far with a transient error. */
  readonly readsFailed: () => number;
  /** Awaited before records up to this offset are dropped: who reads the log may still want them. */
  readonly beforeDrop: (offset: number) => Promise<void>;
  readonly problems: Pick<Problems, 'raise' | 'clear'>;
  readonly onNotice: (text: string) => void;
  /** The log failed during a run. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Most bytes that a run writes for each byte of the segments that it drops. At rest the log is then
 * at most 1 / 0.6 of what is alive, and the segment that is being written. On a full disk more is
 * written for less; then, too, at most three bytes for each that comes back on the whole.
 */
const writtenShare = 0.6;
const writtenSharePressed = 0.75;

/** Delay before failed reads are retried. */
const retryMs = 1_000;

/** Bytes read and written in one turn of the event loop. */
const portionBytes = 64 * 1024;

export class Compactor {
  readonly #options: CompactorOptions;
  #running: Promise<void> | null = null;
  #stopped = false;
  /** Fewest dead bytes since the last check. */
  #deadBytesSeen = Number.NEGATIVE_INFINITY;
  readonly #retryDelay: RetryDelay;

  constructor(options: CompactorOptions) {
    this.#options = options;
    this.#retryDelay = new RetryDelay(options.scheduler);
  }

  /** True while a run is in progress. */
  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Bytes of the log that are still needed. */
  get liveBytes(): number {
    return this.#options.machine.logLiveBytes;
  }

  /** Checks for a run when dead bytes have grown by `checkBytes` since the last check. */
  consider(log: Log): void {
    // Live bytes are an upper bound, so only the growth of dead bytes is meaningful.
    const dead = log.bytes - this.liveBytes;
    this.#deadBytesSeen = Math.min(this.#deadBytesSeen, dead);
    if (dead - this.#deadBytesSeen < this.#options.checkBytes) return;
    this.check(log);
  }

  /** Begins a run when one is worth it and none is in progress. */
  check(log: Log): void {
    if (this.#running !== null || this.#stopped) return;
    this.#deadBytesSeen = log.bytes - this.liveBytes;
    const plan = this.#plan(log);
    if (plan === null) return;
    this.#running = this.#compact(log, plan.upTo)
      .catch((error: unknown) => {
        // Errors of a log that is being closed are expected.
        if (!this.#stopped) this.#options.onFailure(error);
      })
      .finally(() => {
        this.#running = null;
        this.#deadBytesSeen = Number.NEGATIVE_INFINITY;
      });
  }

  /** Stops before the next portion. Records rewritten by then are duplicates, which replay accepts. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retryDelay.stop();
    await this.#running;
  }

  #plan(log: Log): { readonly upTo: number } | null {
    const { machine, isDiskFull, spareBytes } = this.#options;
    const share = isDiskFull() ? writtenSharePressed : writtenShare;
    const plan = machine.compactionPlan(log.segments.slice(0, -1), share);
    return plan !== null && plan.firstBytes <= spareBytes() ? plan : null;
  }

  async #compact(log: Log, upTo: number): Promise<void> {
    if (!(await this.#rewriteSmallState())) return;
    for (;;) {
      const [segment] = log.segments;
      if (segment === undefined || segment.lastOffset > upTo) return;
      if (!(await this.#rewriteRecords(segment.lastOffset))) return;
      await this.#options.beforeDrop(segment.lastOffset);
      await this.#drop(log, segment.lastOffset + 1);
    }
  }

  /** Once per run: later changes are in later records anyway. */
  async #rewriteSmallState(): Promise<boolean> {
    const { machine, run, scheduler } = this.#options;
    for (let isFirst = true; isFirst || !machine.isSmallStateRewritten; isFirst = false) {
      if (this.#stopped) return false;
      run([{ type: 'rewriteSmallState', isFirst }]);
      await scheduler.afterThisRound();
    }
    return true;
  }

  async #drop(log: Log, offset: number): Promise<void> {
    try {
      await log.dropBefore(offset);
    } catch (error) {
      if (!(error instanceof NotCreatedError)) throw error;
      await this.#waitFor(error.message);
    }
  }

  /** A transient error is no damage: the step is retried. */
  async #waitFor(reason: string): Promise<void> {
    this.#options.problems.raise('compaction', reason);
    await this.#retryDelay.wait(retryMs);
  }

  /** Rewrites live records up to the offset; false when it was stopped or failed. */
  async #rewriteRecords(upTo: number): Promise<boolean> {
    const { machine, run, readsDone, readsFailed, scheduler, problems, onNotice } = this.#options;
    while (!machine.isFullyRewritten(upTo)) {
      if (this.#stopped) return false;
      const [before, failedBefore] = [machine.rewrittenCount, readsFailed()];
      run([{ type: 'compact', upTo, bytesMax: portionBytes }]);
      await readsDone();
      await scheduler.afterThisRound();
      if (machine.rewrittenCount > before || machine.isFullyRewritten(upTo)) continue;
      if (readsFailed() > failedBefore) await this.#waitFor('reads of old records failed');
      else {
        this.#stopped = true;
        onNotice(
          'compaction stopped, because the oldest segment of the log has records that cannot be read; ' +
            'until that is repaired, the log only grows. Run  aiq broker verify , then restore a backup.',
        );
        return false;
      }
    }
    problems.clear('compaction');
    // Reads of the old segment must end before it is removed.
    await readsDone();
    return !this.#stopped;
  }
}
