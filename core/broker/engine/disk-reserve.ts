/**
 * Whether the log has room for anything new: bytes and files of the disk, and a next segment that
 * can be made. While it has none, nothing new is accepted or delivered, and what runs is settled.
 */

import type { Log, LogTrouble } from '../log/contract.ts';
import { SpaceGuard, type SpaceGuardOptions, type SpaceLimits } from '../log/space.ts';
import type { CoreEvent } from '../state-machine/context/effects.ts';
import { newBytes, valueBytes } from './engine-options.ts';
import type { Troubles } from './problems.ts';

interface RoomOptions
  extends Pick<
    SpaceGuardOptions,
    'dir' | 'disk' | 'scheduler' | 'unwrittenBytes' | 'onPoll' | 'onFailure'
  > {
  readonly limits: SpaceLimits;
  readonly troubles: Troubles;
  readonly onDiskFull: (full: boolean) => void;
  readonly onNotice: (text: string) => void;
  /** Gets what the core must hear of. */
  readonly tell: (event: CoreEvent) => void;
}

export class DiskReserve {
  readonly #options: RoomOptions;
  #space!: SpaceGuard;
  /** Why the disk is full; null while it is not. */
  #fullReason: string | null = null;
  #isScarce = false;

  /** @throws Error when the disk cannot be asked */
  static async open(options: RoomOptions): Promise<DiskReserve> {
    const room = new DiskReserve(options);
    room.#space = await SpaceGuard.open({
      ...options,
      onChange: (full, reason) => room.#onDiskFull(full, reason),
      onTrouble: (reason) => options.troubles.set('reserve', reason),
    });
    return room;
  }

  private constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** What is kept for settles without values. */
  get #keptBytes(): number {
    return this.#options.limits.lowBytes / 2;
  }

  get freeBytes(): number {
    return this.#space.freeBytes;
  }

  /** Bytes that anything but settles and paid answers may take of the disk. */
  get spareBytes(): number {
    return Math.max(0, this.#space.freeBytes - this.#keptBytes);
  }

  /** The disk is full: whatever compaction gives back is worth it. */
  get isPressed(): boolean {
    return this.#space.isFull;
  }

  /** Nothing new is accepted or delivered. */
  get isFull(): boolean {
    return this.#fullReason !== null || this.#options.troubles.has('segment');
  }

  /** Keeps room for what an event brings, before anything is applied: that cannot be undone. */
  reserve(event: CoreEvent, log: Log): void {
    const bytes = newBytes(event);
    if (bytes > 0) this.#space.reserve(bytes);
    this.#noteScarcity(valueBytes(event), log);
  }

  /** Books bytes that are appended. */
  spend(bytes: number): void {
    this.#space.spend(bytes);
  }

  /** The log cannot do something, and why; null when it works again. */
  onTrouble(what: LogTrouble, reason: string | null): void {
    this.#options.troubles.set(what, reason);
    if (what === 'segment') this.tell();
  }

  /** Tells the core how it is. */
  tell(): void {
    const reason = this.#fullReason ?? 'no new segment of the log can be made';
    this.#options.tell({ type: 'disk', full: this.isFull, reason });
  }

  close(): Promise<void> {
    return this.#space.close();
  }

  #onDiskFull(full: boolean, reason: string): void {
    this.#fullReason = full ? reason : null;
    this.#options.onNotice(
      full
        ? `${reason}: nothing new is accepted or delivered until there is room; what runs can be settled`
        : 'the disk has room again',
    );
    this.#options.onDiskFull(full);
    this.tell();
  }

  /** What settles and paid answers may take of a full log ends before nothing is left. */
  #noteScarcity(bytes: number, log: Log): void {
    const isScarce = this.isFull && this.#isTight(bytes, log);
    if (isScarce === this.#isScarce) return;
    this.#isScarce = isScarce;
    this.#options.tell({ type: 'scarce', isScarce });
  }

  #isTight(bytes: number, log: Log): boolean {
    const { segmentBytesMax } = this.#options.limits;
    const isOvergrown = (log.segments.at(-1)?.bytes ?? 0) > 2 * segmentBytesMax;
    return isOvergrown || this.#space.freeBytes - bytes < this.#keptBytes;
  }
}
