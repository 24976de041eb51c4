/**
 * Frees the log's space: as soon as enough of it is dead, the oldest segment's live records are said
 * again at the end, in small portions, and the segment is dropped. So no old job ever pins the log.
 */

import type { Log } from './log/contract.ts';
import type { CoreEvent } from './queue/effects.ts';
import type { QueueMachine } from './queue/machine.ts';

export interface CompactorOptions {
  readonly machine: Pick<QueueMachine, 'logLiveBytes' | 'isRestated' | 'movedCount'>;
  /** Below so many dead bytes it is not worth it. */
  readonly deadBytesMin: number;
  /** The disk is full: whatever a segment gives back is worth it. */
  readonly isPressed: () => boolean;
  readonly run: (events: readonly CoreEvent[]) => void;
  /** Reads that are under way now have ended. */
  readonly readsDone: () => Promise<void>;
  readonly afterThisRound: () => Promise<void>;
  readonly onNotice: (text: string) => void;
  /** The log failed amid it. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * How much may have to be written again for each byte that is freed, at worst: when a large backlog
 * that nobody works on lies before what is freed. The log then takes a quarter more than it needs.
 */
const liveBytesPerDeadByte = 4;

/** One portion: what is read and written before others have their turn. */
const portionBytes = 64 * 1024;

export class Compactor {
  readonly #options: CompactorOptions;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Begins when it is worth it and nothing is under way. */
  consider(log: Log): void {
    if (this.#running !== null || this.#stopped || !this.#isWorthIt(log)) return;
    this.#running = this.#compact(log)
      .catch((error: unknown) => {
        // What the log refuses once it is being closed is no failure.
        if (!this.#stopped) this.#options.onFailure(error);
      })
      .finally(() => {
        this.#running = null;
      });
  }

  /** Ends before the next portion; what was said again is said twice then, which does no harm. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  #isWorthIt(log: Log): boolean {
    const { machine, deadBytesMin, isPressed } = this.#options;
    const dead = log.bytes - machine.logLiveBytes;
    if (log.segments.length < 2 || dead <= deadBytesMin) return false;
    return dead > machine.logLiveBytes / liveBytesPerDeadByte || isPressed();
  }

  async #compact(log: Log): Promise<void> {
    while (!this.#stopped && this.#isWorthIt(log)) {
      const upTo = log.segments[0]?.lastOffset ?? 0;
      if (!(await this.#restate(upTo))) return;
      await log.dropBefore(upTo + 1);
    }
  }

  /** Says again all that the log holds up to the offset; false when that did not come to an end. */
  async #restate(upTo: number): Promise<boolean> {
    const { machine, run, readsDone, afterThisRound, onNotice } = this.#options;
    while (!machine.isRestated(upTo)) {
      if (this.#stopped) return false;
      const before = machine.movedCount;
      run([{ type: 'compact', upTo, bytesMax: portionBytes }]);
      await readsDone();
      await afterThisRound();
      if (machine.movedCount === before && !machine.isRestated(upTo)) {
        this.#stopped = true;
        onNotice(
          'compaction stops: the oldest segment holds records that cannot be read. Run ' +
            ' aiq broker verify  and restore from a backup; until then the log only grows.',
        );
        return false;
      }
    }
    if (this.#stopped) return false;
    run([{ type: 'restate' }]);
    // Whoever still reads from the old segment must be done before it goes.
    await readsDone();
    return !this.#stopped;
  }
}
