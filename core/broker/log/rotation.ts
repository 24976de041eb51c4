/**
 * Begins the next segment when the last one is full. Where a new file cannot be made (no descriptor,
 * no inode, no right to), the last one, which is open, goes on taking what must be kept, and the
 * next is tried again after a pause.
 */

import type { LogOptions, Scheduler } from './contract.ts';
import { NotMadeError } from './disk.ts';
import { pauseMsAfter } from './pause.ts';
import type { SealedSegment } from './segments.ts';
import type { TailWriter } from './tail-writer.ts';

export interface RotationOptions extends Pick<LogOptions, 'segmentBytesMax' | 'onTrouble'> {
  readonly writer: TailWriter;
  readonly scheduler: Scheduler;
  /** Asks for a commit, even of nothing: it is the time to try again. */
  readonly onDue: () => void;
  /** Why nothing more may be done; null while the log is fine. */
  readonly failure: () => Error | null;
}

export class Rotation {
  readonly #options: RotationOptions;
  #failures = 0;
  #isWaiting = false;
  #cancel: () => void = () => undefined;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** The next segment could not be made, and it is time to try again. */
  get isOverdue(): boolean {
    return this.#failures > 0 && !this.#isWaiting;
  }

  /** Bytes that the last segment still takes in one commit. */
  get room(): number {
    return this.#failures > 0 ? this.#options.segmentBytesMax : this.#options.writer.room;
  }

  /** Returns the segment that was sealed, or null when the last one goes on for now. */
  async begin(): Promise<SealedSegment | null> {
    if (this.#isWaiting) return null;
    const { writer, onTrouble, failure } = this.#options;
    try {
      const sealed = await writer.rotate();
      if (this.#failures > 0) onTrouble('segment', null);
      this.#failures = 0;
      return sealed;
    } catch (error) {
      if (!(error instanceof NotMadeError) || failure() !== null) throw error;
      this.#waitAgain();
      onTrouble('segment', error.message);
      return null;
    }
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#isWaiting = true;
    this.#cancel();
  }

  #waitAgain(): void {
    this.#failures += 1;
    this.#isWaiting = true;
    this.#cancel = this.#options.scheduler.after(pauseMsAfter(this.#failures), () => {
      this.#isWaiting = false;
      this.#options.onDue();
    });
  }
}
