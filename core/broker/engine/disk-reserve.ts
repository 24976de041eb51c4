/**
 * Admission by disk space: whether the log has bytes, inodes and a next segment for new work. While
 * it does not, nothing new is accepted or delivered, and running jobs can still be settled.
 */

import type { Log, LogOperation } from '../log/contract.ts';
import { SpaceGuard, type SpaceGuardOptions, type SpaceLimits } from '../log/disk/space.ts';
import type { CoreEvent } from '../state-machine/context/effects.ts';
import { newBytes, valueBytes } from './engine-options.ts';
import type { Problems } from './problems.ts';

interface DiskReserveOptions
  extends Pick<
    SpaceGuardOptions,
    'dir' | 'disk' | 'scheduler' | 'unwrittenBytes' | 'onPoll' | 'onFailure'
  > {
  readonly limits: SpaceLimits;
  readonly problems: Problems;
  readonly onDiskFull: (full: boolean) => void;
  readonly onNotice: (text: string) => void;
  /** Delivers an event to the state machine. */
  readonly notify: (event: CoreEvent) => void;
}

export class DiskReserve {
  readonly #options: DiskReserveOptions;
  #space!: SpaceGuard;
  /** Why the disk is full; null while it is not. */
  #fullReason: string | null = null;
  #isScarce = false;

  /** @throws Error when the disk cannot be asked */
  static async open(options: DiskReserveOptions): Promise<DiskReserve> {
    const reserve = new DiskReserve(options);
    reserve.#space = await SpaceGuard.open({
      ...options,
      onChange: (full, reason) => reserve.#onDiskFull(full, reason),
      onProblem: (reason) => options.problems.set('reserve', reason),
    });
    return reserve;
  }

  private constructor(options: DiskReserveOptions) {
    this.#options = options;
  }

  /** Bytes kept for settles without values. */
  get #keptBytes(): number {
    return this.#options.limits.lowBytes / 2;
  }

  get freeBytes(): number {
    return this.#space.freeBytes;
  }

  /** Bytes available to everything but settles and journaled responses. */
  get spareBytes(): number {
    return Math.max(0, this.#space.freeBytes - this.#keptBytes);
  }

  /** True in full mode of the disk; see `SpaceGuard`. */
  get isDiskFull(): boolean {
    return this.#space.isFull;
  }

  /** True while nothing new is accepted or delivered. */
  get isFull(): boolean {
    return this.#fullReason !== null || this.#options.problems.has('segment');
  }

  /** Reserves space for the records of an event before it is applied, which cannot be undone. */
  reserve(event: CoreEvent, log: Log): void {
    const bytes = newBytes(event);
    if (bytes > 0) this.#space.reserve(bytes);
    this.#noteScarcity(valueBytes(event), log);
  }

  /** Charges appended bytes to the free space. */
  charge(bytes: number): void {
    this.#space.charge(bytes);
  }

  /** An operation of the log fails for `reason`; null when it works again. */
  onProblem(what: LogOperation, reason: string | null): void {
    this.#options.problems.set(what, reason);
    if (what === 'segment') this.notify();
  }

  /** Sends the present state to the state machine. */
  notify(): void {
    const reason = this.#fullReason ?? 'no new segment of the log can be made';
    this.#options.notify({ type: 'disk', full: this.isFull, reason });
  }

  close(): Promise<void> {
    return this.#space.close();
  }

  #onDiskFull(full: boolean, reason: string): void {
    this.#fullReason = full ? reason : null;
    this.#options.onNotice(
      full
        ? `${reason}: no new jobs are accepted or delivered until space is free; running jobs can finish`
        : 'the disk has free space again: jobs are accepted and delivered',
    );
    this.#options.onDiskFull(full);
    this.notify();
  }

  /** In full mode settles and journaled responses are limited too, before no space is left. */
  #noteScarcity(bytes: number, log: Log): void {
    const isScarce = this.isFull && this.#isTight(bytes, log);
    if (isScarce === this.#isScarce) return;
    this.#isScarce = isScarce;
    this.#options.notify({ type: 'scarce', isScarce });
  }

  #isTight(bytes: number, log: Log): boolean {
    const { segmentBytesMax } = this.#options.limits;
    const isOvergrown = (log.segments.at(-1)?.bytes ?? 0) > 2 * segmentBytesMax;
    return isOvergrown || this.#space.freeBytes - bytes < this.#keptBytes;
  }
}
