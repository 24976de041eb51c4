/**
 * Writes the summaries of sealed segments in the background, one at a time, in quiet moments: they are
 * of no use before the next start. One that is not finished when the log closes is written after that.
 */

import type { LogOptions, Scheduler, SealedSegment, SummaryMaker } from '../contract.ts';
import { type Disk, NotCreatedError, replaceFile } from '../disk/disk.ts';
import { spaceLimits } from '../disk/space-limits.ts';
import { summaryName } from '../format/format.ts';
import { RetryDelay, retryDelayMs } from '../pause.ts';
import { RetryLater, retryLater } from './make-summary.ts';

export interface SummaryKeeperOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly segmentBytesMax: number;
  readonly scheduler: Scheduler;
  readonly makeSummary: SummaryMaker;
  /** Time without a commit that counts as a quiet moment. */
  readonly quietMs: number;
  /** A segment is damaged, or a write of the disk failed. */
  readonly onFailure: (error: unknown) => void;
  readonly onProblem: LogOptions['onProblem'];
}

/** Segments without a summary that a start may have to read; for more, no quiet moment is waited for. */
const summariesWaitingMax = 4;

/** Thrown to abandon a summary: its segment is being dropped, or the log closes. */
class Abandoned extends Error {}

export class SummaryKeeper {
  readonly #options: SummaryKeeperOptions;
  #waiting: SealedSegment[] = [];
  #current: SealedSegment | null = null;
  #working: Promise<void> | null = null;
  /** Segments before this one are being dropped. */
  #neededFrom = 0;
  #stopped = false;
  readonly #retryDelay: RetryDelay;
  #failures = 0;
  #commits = 0;

  constructor(options: SummaryKeeperOptions) {
    this.#options = options;
    this.#retryDelay = new RetryDelay(options.scheduler);
  }

  add(segment: SealedSegment): void {
    this.#waiting.push(segment);
    if (!this.#stopped) this.#working ??= this.#work();
  }

  /** A group was committed. */
  onCommit(): void {
    this.#commits++;
  }

  /** Gives up segments before `number`; resolves when their files are not in use. */
  async release(number: number): Promise<void> {
    this.#neededFrom = Math.max(this.#neededFrom, number);
    while (this.#current !== null && this.#current.number < number) {
      await this.#options.scheduler.afterThisRound();
    }
  }

  /** Abandons the summary being made; resolves when no file is in use. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retryDelay.stop();
    await this.#working;
  }

  async #work(): Promise<void> {
    try {
      await this.#quietMoment();
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        this.#current = next;
        await this.#tryToMake(next);
        this.#current = null;
        await this.#quietMoment();
      }
    } catch (error) {
      this.#stopped = true;
      this.#options.onFailure(error);
    }
    this.#current = null;
    this.#working = null;
  }

  async #quietMoment(): Promise<void> {
    const { quietMs } = this.#options;
    let seen = -1;
    while (
      seen !== this.#commits &&
      this.#waiting.length <= summariesWaitingMax &&
      !this.#stopped
    ) {
      if (this.#waiting.length === 0 || quietMs === 0) return;
      seen = this.#commits;
      await this.#retryDelay.wait(quietMs);
    }
  }

  async #tryToMake(segment: SealedSegment): Promise<void> {
    try {
      await this.#make(segment);
      if (this.#failures > 0) this.#options.onProblem('summary', null);
      this.#failures = 0;
    } catch (error) {
      if (error instanceof Abandoned || (error instanceof RetryLater && this.#stopped)) return;
      if (!(error instanceof RetryLater)) throw error;
      await this.#waitAfter(segment, error);
    }
  }

  async #waitAfter(segment: SealedSegment, error: RetryLater): Promise<void> {
    this.#failures += 1;
    this.#options.onProblem('summary', error.message);
    this.#waiting.unshift(segment);
    // `release` need not wait for the retry.
    this.#current = null;
    await this.#retryDelay.wait(retryDelayMs(this.#failures));
  }

  #next(): SealedSegment | undefined {
    return this.#stopped ? undefined : this.#waiting.shift();
  }

  /** Yields to the event loop. @throws Abandoned */
  async #pause(segment: SealedSegment): Promise<void> {
    await this.#options.scheduler.afterThisRound();
    if (this.#stopped || segment.number < this.#neededFrom) throw new Abandoned();
  }

  async #make(segment: SealedSegment): Promise<void> {
    const content = await this.#options.makeSummary(segment, () => this.#pause(segment));
    await this.#pause(segment);
    await this.#write(segment, content);
  }

  /** Skipped on a nearly full disk: the next start reads the segment instead. */
  async #write(segment: SealedSegment, content: readonly Uint8Array[]): Promise<void> {
    const { disk, dir, segmentBytesMax } = this.#options;
    const name = summaryName(segment.number);
    const space = await disk.space(dir).catch(retryLater);
    const needed = content.reduce((sum, { length }) => sum + length, 0);
    const { lowBytes } = spaceLimits(space, segmentBytesMax);
    if (space.freeBytes - needed < lowBytes) return;
    try {
      const file = await replaceFile(disk, dir, name, content);
      segment.summaryFile = true;
      await file.close();
    } catch (error) {
      if (!(error instanceof NotCreatedError)) throw error;
      retryLater(error);
    }
  }
}
