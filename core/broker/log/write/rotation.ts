/**
 * Rotates to the next segment when the last one is full. When the file cannot be created (no
 * descriptor, inode or permission), the open one is used beyond its size and creation is retried
 * after a delay.
 */

import type { LogOptions, Scheduler, SealedSegment } from '../contract.ts';
import { NotCreatedError } from '../disk/disk.ts';
import { retryDelayMs } from '../pause.ts';
import type { TailWriter } from './tail-writer.ts';

export interface RotationOptions extends Pick<LogOptions, 'segmentBytesMax' | 'onProblem'> {
  readonly writer: TailWriter;
  readonly scheduler: Scheduler;
  /** Requests a commit, even an empty one, to retry the rotation. */
  readonly onDue: () => void;
  /** The failure of the log; null while there is none. */
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

  /** The next segment could not be created, and the retry is due. */
  get isOverdue(): boolean {
    return this.#failures > 0 && !this.#isWaiting;
  }

  /** Bytes that one commit may write to the last segment. */
  get room(): number {
    return this.#failures > 0 ? this.#options.segmentBytesMax : this.#options.writer.room;
  }

  /** Returns the sealed segment, or null when the last one continues to be used. */
  async begin(): Promise<SealedSegment | null> {
    if (this.#isWaiting) return null;
    const { writer, onProblem, failure } = this.#options;
    try {
      const sealed = await writer.rotate();
      if (this.#failures > 0) onProblem('segment', null);
      this.#failures = 0;
      return sealed;
    } catch (error) {
      if (!(error instanceof NotCreatedError) || failure() !== null) throw error;
      this.#waitAgain();
      onProblem('segment', error.message);
      return null;
    }
  }

  /** Ends retries. */
  stop(): void {
    this.#isWaiting = true;
    this.#cancel();
  }

  #waitAgain(): void {
    this.#failures += 1;
    this.#isWaiting = true;
    this.#cancel = this.#options.scheduler.after(retryDelayMs(this.#failures), () => {
      this.#isWaiting = false;
      this.#options.onDue();
    });
  }
}
