/**
 * Frees the log's space: what is alive in the oldest segments is said again at the end, in small
 * portions, and the segments are dropped. It does so only where the segments give back clearly more
 * than it writes, so that a log at which nobody works comes to rest.
 */

import type { Log, Scheduler } from '../log/contract.ts';
import { NotMadeError } from '../log/disk.ts';
import { Pause } from '../log/pause.ts';
import type { CoreEvent } from '../state-machine/context/effects.ts';
import type { QueueMachine } from '../state-machine/machine.ts';
import type { Troubles } from './problems.ts';

export interface CompactorOptions {
  readonly machine: Pick<
    QueueMachine,
    'logLiveBytes' | 'compactionPlan' | 'isSmallStateRewritten' | 'isFullyRewritten' | 'movedCount'
  >;
  /** So many more dead bytes are worth a look at what a run would bring. */
  readonly lookBytes: number;
  /** The disk is full: even little is worth it. */
  readonly isPressed: () => boolean;
  /** Bytes that may be written before something was freed. */
  readonly roomBytes: () => number;
  readonly run: (events: readonly CoreEvent[]) => void;
  /** Reads that are under way now have ended. */
  readonly readsDone: () => Promise<void>;
  readonly scheduler: Scheduler;
  /** How many reads failed so far for a reason that may pass. */
  readonly readsFailed: () => number;
  readonly troubles: Pick<Troubles, 'raise' | 'clear'>;
  readonly onNotice: (text: string) => void;
  /** The log failed amid it. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Most bytes that a run writes for each byte of the segments that it drops. At rest the log is then
 * at most 1 / 0.6 of what is alive, and the segment that is being written. On a full disk more is
 * written for less; then, too, at most three bytes for each that comes back on the whole.
 */
const writtenShare = 0.6;
const writtenSharePressed = 0.75;

/** Before reads that failed are tried again. */
const retryMs = 1_000;

/** One portion: what is read and written before others have their turn. */
const portionBytes = 64 * 1024;

export class Compactor {
  readonly #options: CompactorOptions;
  #running: Promise<void> | null = null;
  #stopped = false;
  /** Fewest dead bytes since the last look. */
  #deadBytesSeen = Number.NEGATIVE_INFINITY;
  readonly #patience: Pause;

  constructor(options: CompactorOptions) {
    this.#options = options;
    this.#patience = new Pause(options.scheduler);
  }

  /** True while it writes or frees something. */
  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Bytes of the log that are still needed. */
  get liveBytes(): number {
    return this.#options.machine.logLiveBytes;
  }

  /** Looks whether there is something to free, when much has changed since the last look. */
  consider(log: Log): void {
    // What is counted as alive may be more than the log holds: what counts is how much died since.
    const dead = log.bytes - this.liveBytes;
    this.#deadBytesSeen = Math.min(this.#deadBytesSeen, dead);
    if (dead - this.#deadBytesSeen < this.#options.lookBytes) return;
    this.look(log);
  }

  /** Begins when something can be freed and nothing is under way. */
  look(log: Log): void {
    if (this.#running !== null || this.#stopped) return;
    this.#deadBytesSeen = log.bytes - this.liveBytes;
    const plan = this.#plan(log);
    if (plan === null) return;
    this.#running = this.#compact(log, plan.upTo)
      .catch((error: unknown) => {
        // What the log refuses once it is being closed is no failure.
        if (!this.#stopped) this.#options.onFailure(error);
      })
      .finally(() => {
        this.#running = null;
        this.#deadBytesSeen = Number.NEGATIVE_INFINITY;
      });
  }

  /** Ends before the next portion; what was said again is said twice then, which does no harm. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#patience.stop();
    await this.#running;
  }

  #plan(log: Log): { readonly upTo: number } | null {
    const { machine, isPressed, roomBytes } = this.#options;
    const share = isPressed() ? writtenSharePressed : writtenShare;
    const plan = machine.compactionPlan(log.segments.slice(0, -1), share);
    return plan !== null && plan.firstBytes <= roomBytes() ? plan : null;
  }

  async #compact(log: Log, upTo: number): Promise<void> {
    if (!(await this.#saySmallState())) return;
    for (;;) {
      const [segment] = log.segments;
      if (segment === undefined || segment.lastOffset > upTo) return;
      if (!(await this.#restate(segment.lastOffset))) return;
      await this.#drop(log, segment.lastOffset + 1);
    }
  }

  /** Once for all segments of a run: what changes later stands behind them in any case. */
  async #saySmallState(): Promise<boolean> {
    const { machine, run, scheduler } = this.#options;
    for (let isFirst = true; isFirst || !machine.isSmallStateRewritten; isFirst = false) {
      if (this.#stopped) return false;
      run([{ type: 'restate', isFirst }]);
      await scheduler.afterThisRound();
    }
    return true;
  }

  async #drop(log: Log, offset: number): Promise<void> {
    try {
      await log.dropBefore(offset);
    } catch (error) {
      if (!(error instanceof NotMadeError)) throw error;
      await this.#waitFor(error.message);
    }
  }

  /** An error is not damage: the same is tried again. */
  async #waitFor(reason: string): Promise<void> {
    this.#options.troubles.raise('compaction', reason);
    await this.#patience.wait(retryMs);
  }

  /** Says again what the log holds up to the offset; false when that did not come to an end. */
  async #restate(upTo: number): Promise<boolean> {
    const { machine, run, readsDone, readsFailed, scheduler, troubles, onNotice } = this.#options;
    while (!machine.isFullyRewritten(upTo)) {
      if (this.#stopped) return false;
      const [before, failedBefore] = [machine.movedCount, readsFailed()];
      run([{ type: 'compact', upTo, bytesMax: portionBytes }]);
      await readsDone();
      await scheduler.afterThisRound();
      if (machine.movedCount > before || machine.isFullyRewritten(upTo)) continue;
      if (readsFailed() > failedBefore) await this.#waitFor('reads of old records failed');
      else {
        this.#stopped = true;
        onNotice(
          'compaction stops: the oldest segment holds records that cannot be read. Run ' +
            ' aiq broker verify  and restore from a backup; until then the log only grows.',
        );
        return false;
      }
    }
    troubles.clear('compaction');
    // Whoever still reads from the old segment must be done before it goes.
    await readsDone();
    return !this.#stopped;
  }
}
