/**
 * Keeps the disk from filling up under the log: tracks free space (polled, less what was appended
 * since), decides when the broker is in full mode and must accept nothing new, and then deletes a
 * ballast file, so that running jobs can be settled.
 */

import { asError, messageOf } from '../../../base/index.ts';
import type { Scheduler } from '../contract.ts';
import { eventLoop } from '../scheduler.ts';
import { ballastBytesIn, createBallast, removeBallast } from './ballast.ts';
import { type Disk, NotCreatedError, nodeDisk } from './disk.ts';
import { highFiles, lowFiles, type SpaceLimits } from './space-limits.ts';

export { type SpaceLimits, spaceLimits } from './space-limits.ts';

export interface SpaceGuardOptions {
  /** The log's folder. */
  readonly dir: string;
  readonly limits: SpaceLimits;
  readonly disk?: Disk;
  readonly scheduler?: Scheduler;
  /** Bytes appended and not on disk yet. Default: none. */
  readonly unwrittenBytes?: () => number;
  /** Interval between polls. Default: 1000. */
  readonly pollMs?: number;
  /** Full mode began or ended; may be called from inside `open`, `charge` and `reserve`. */
  readonly onChange: (full: boolean, reason: string) => void;
  /** Called after each regular poll. */
  readonly onPoll?: () => void;
  /** Polling or writing the ballast fails for `reason` and is retried; null when it works again. */
  readonly onProblem: (reason: string | null) => void;
  /** The folder is missing, or a write of the ballast failed: the log must stop. */
  readonly onFailure: (error: Error) => void;
}

const pollMsDefault = 1000;

/** The folder is missing: no retry helps. */
const lastingErrors: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ESTALE']);

/** A write or sync of the ballast failed. */
class BallastError extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

export class SpaceGuard {
  readonly #options: SpaceGuardOptions;
  readonly #disk: Disk;
  readonly #scheduler: Scheduler;
  /** Free bytes at the last poll. */
  #polledBytes = 0;
  #chargedBytes = 0;
  /** Reserved since and not charged yet. */
  #reservedBytes = 0;
  #freeFiles = Number.POSITIVE_INFINITY;
  #full = false;
  #hasBallast = false;
  #closed = false;
  #checking: Promise<void> | null = null;
  #cancelPoll: () => void = () => undefined;

  private constructor(options: SpaceGuardOptions) {
    this.#options = options;
    this.#disk = options.disk ?? nodeDisk;
    this.#scheduler = options.scheduler ?? eventLoop;
  }

  /**
   * Polls once, creates or deletes the ballast, and starts regular polls. The folder must exist.
   * @throws Error when the poll fails
   */
  static async open(options: SpaceGuardOptions): Promise<SpaceGuard> {
    const guard = new SpaceGuard(options);
    guard.#hasBallast = (await ballastBytesIn(guard.#disk, options.dir)) > 0;
    await guard.#check();
    guard.#pollLater();
    return guard;
  }

  /** Full mode: nothing new may be accepted or delivered; running jobs may be settled. */
  get isFull(): boolean {
    return this.#full;
  }

  get #fullReason(): string {
    return this.#freeFiles < highFiles
      ? `the disk has space for only ${this.#freeFiles} more files (inodes)`
      : 'the disk is full';
  }

  /** Estimate of the free bytes. */
  get freeBytes(): number {
    return Math.max(0, this.#polledBytes - this.#chargedBytes - this.#reservedBytes);
  }

  /**
   * Reserves space for something new; false, and full mode begins, when there is none. A reservation
   * that is not charged ends with the next poll.
   */
  reserve(bytes: number): boolean {
    if (this.#full) return false;
    if (this.freeBytes - bytes < this.#options.limits.lowBytes) {
      this.#enter();
      return false;
    }
    this.#reservedBytes += bytes;
    return true;
  }

  /** Charges appended bytes, reserved or not. */
  charge(bytes: number): void {
    this.#reservedBytes -= Math.min(this.#reservedBytes, bytes);
    this.#chargedBytes += bytes;
    if (!this.#full && this.freeBytes < this.#options.limits.lowBytes) this.#enter();
  }

  /** Polls now. */
  poll(): Promise<void> {
    this.#checking ??= this.#checkNow();
    return this.#checking;
  }

  /** Stops polling; resolves when no operation is in progress. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelPoll();
    await this.#checking;
  }

  #pollLater(): void {
    if (this.#closed) return;
    this.#cancelPoll = this.#scheduler.after(this.#options.pollMs ?? pollMsDefault, () => {
      void this.poll().then(() => this.#pollLater());
    });
  }

  async #checkNow(): Promise<void> {
    try {
      await this.#check();
      this.#options.onPoll?.();
      this.#options.onProblem(null);
    } catch (error) {
      this.#onError(asError(error));
    }
    this.#checking = null;
  }

  #onError(error: Error): void {
    // Errors without a code, such as that of a replaced folder, are permanent.
    const isTransient = 'code' in error && !lastingErrors.has(String(error.code));
    if (isTransient && !(error instanceof BallastError)) this.#options.onProblem(error.message);
    else this.#options.onFailure(error);
  }

  async #check(): Promise<void> {
    const { lowBytes, highBytes, ballastBytes } = this.#options.limits;
    await this.#ask();
    const isLow = this.freeBytes < lowBytes || this.#freeFiles < lowFiles;
    const isRoomy = this.freeBytes > highBytes && this.#freeFiles >= highFiles;
    if (this.#full && isRoomy) this.#set(false);
    if (!this.#full && isLow) this.#set(true);
    if (this.#full && this.#hasBallast) await this.#giveUpBallast();
    const hasRoom = this.freeBytes >= lowBytes + ballastBytes;
    if (!this.#full && !this.#hasBallast && hasRoom) await this.#makeBallast();
  }

  /** Bytes written during the poll count twice until the next one. */
  async #ask(): Promise<void> {
    const known = this.#chargedBytes - (this.#options.unwrittenBytes?.() ?? 0);
    const { freeBytes, freeFiles } = await this.#disk.space(this.#options.dir);
    this.#polledBytes = freeBytes;
    this.#freeFiles = freeFiles;
    this.#chargedBytes = Math.max(0, this.#chargedBytes - known);
    this.#reservedBytes = 0;
  }

  #enter(): void {
    this.#set(true);
    void this.poll();
  }

  #set(full: boolean): void {
    if (this.#full === full) return;
    this.#full = full;
    this.#options.onChange(full, this.#fullReason);
  }

  async #giveUpBallast(): Promise<void> {
    await removeBallast(this.#disk, this.#options.dir);
    this.#hasBallast = false;
    await this.#ask();
  }

  async #makeBallast(): Promise<void> {
    try {
      await createBallast(this.#disk, this.#options.dir, this.#options.limits.ballastBytes);
      this.#hasBallast = true;
    } catch (error) {
      // Another process took the space first: retried at the next poll.
      if (!(error instanceof NotCreatedError)) throw new BallastError(error);
    }
    await this.#ask();
  }
}
