/**
 * Keeps the disk from filling up under the log. It knows how much is free (asked for regularly,
 * less what was appended since), says when the broker must take nothing new, and gives a ballast
 * file up then, so that what is under way can be settled.
 */

import { ballastBytesIn, placeBallast, removeBallast } from './ballast.ts';
import type { Scheduler } from './contract.ts';
import { type Disk, NotMadeError, nodeDisk } from './disk.ts';
import { eventLoop } from './scheduler.ts';
import { highFiles, lowFiles, type SpaceLimits } from './space-limits.ts';

export { type SpaceLimits, spaceLimits } from './space-limits.ts';

export interface SpaceGuardOptions {
  /** The log's folder. */
  readonly dir: string;
  readonly limits: SpaceLimits;
  readonly disk?: Disk;
  readonly scheduler?: Scheduler;
  /** Bytes appended and not on disk yet, of which the file system cannot know. Default: none. */
  readonly unwrittenBytes?: () => number;
  /** How often the file system is asked. Default: 1000. */
  readonly pollMs?: number;
  /** Full mode began or ended; may be called from inside `open`, `spend` and `reserve`. */
  readonly onChange: (full: boolean, reason: string) => void;
  /** The file system was asked, as it is regularly. */
  readonly onPoll?: () => void;
  /** The disk cannot be asked, or the ballast not be seen to, for now; null when that works again. */
  readonly onTrouble: (reason: string | null) => void;
  /** The folder is gone, or the ballast could not be written: the log has no ground any more. */
  readonly onFailure: (error: Error) => void;
}

const pollMsDefault = 1000;

/** The folder is gone: asking again says no more. */
const lastingErrors: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ESTALE']);

/** A write or sync of the ballast failed. */
class BallastError extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export class SpaceGuard {
  readonly #options: SpaceGuardOptions;
  readonly #disk: Disk;
  readonly #scheduler: Scheduler;
  /** As the file system said last. */
  #polledBytes = 0;
  #spentBytes = 0;
  /** Of what was reserved since, the part that was not spent yet. */
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
   * Asks the disk once, sees to the ballast, and goes on watching. The folder must be there.
   * @throws Error when the disk cannot be asked
   */
  static async open(options: SpaceGuardOptions): Promise<SpaceGuard> {
    const guard = new SpaceGuard(options);
    guard.#hasBallast = (await ballastBytesIn(guard.#disk, options.dir)) > 0;
    await guard.#check();
    guard.#pollLater();
    return guard;
  }

  /** In full mode nothing new may be accepted or delivered; what is under way may be settled. */
  get isFull(): boolean {
    return this.#full;
  }

  get #fullReason(): string {
    return this.#freeFiles < highFiles
      ? `the disk has room for ${this.#freeFiles} more files only (inodes)`
      : 'the disk is full';
  }

  /** Bytes that should still be free. */
  get freeBytes(): number {
    return Math.max(0, this.#polledBytes - this.#spentBytes - this.#reservedBytes);
  }

  /**
   * Keeps room for something new that is about to be appended; false when there is none. Then full
   * mode has begun, and nothing is kept. What is not spent is free again at the next poll.
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

  /** Books bytes that are appended, reserved or not. */
  spend(bytes: number): void {
    this.#reservedBytes -= Math.min(this.#reservedBytes, bytes);
    this.#spentBytes += bytes;
    if (!this.#full && this.freeBytes < this.#options.limits.lowBytes) this.#enter();
  }

  /** Asks the disk now. */
  poll(): Promise<void> {
    this.#checking ??= this.#checkNow();
    return this.#checking;
  }

  /** Stops watching; resolves when nothing is being done to the ballast. */
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
      this.#options.onTrouble(null);
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)));
    }
    this.#checking = null;
  }

  #onError(error: Error): void {
    // What the system did not say, such as that the folder is another's by now, does not pass.
    const mayPass = 'code' in error && !lastingErrors.has(String(error.code));
    if (mayPass && !(error instanceof BallastError)) this.#options.onTrouble(error.message);
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

  /** What is written while the file system answers counts twice until it is asked again. */
  async #ask(): Promise<void> {
    const known = this.#spentBytes - (this.#options.unwrittenBytes?.() ?? 0);
    const { freeBytes, freeFiles } = await this.#disk.space(this.#options.dir);
    this.#polledBytes = freeBytes;
    this.#freeFiles = freeFiles;
    this.#spentBytes = Math.max(0, this.#spentBytes - known);
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
      await placeBallast(this.#disk, this.#options.dir, this.#options.limits.ballastBytes);
      this.#hasBallast = true;
    } catch (error) {
      // Somebody else was faster. There is a next time.
      if (!(error instanceof NotMadeError)) throw new BallastError(error);
    }
    await this.#ask();
  }
}
