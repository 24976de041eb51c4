/** How much of a full disk settles and paid answers may still take. */

import type { SpaceGuard } from './log/space.ts';
import type { CoreEvent } from './queue/effects.ts';

/** It ends before the log has no room left for settles without values. */
export class Scarcity {
  readonly #space: Pick<SpaceGuard, 'isFull' | 'freeBytes'>;
  readonly #keptBytes: number;
  #isScarce = false;

  /** @param keptBytes what is kept for them */
  constructor(space: Pick<SpaceGuard, 'isFull' | 'freeBytes'>, keptBytes: number) {
    this.#space = space;
    this.#keptBytes = keptBytes;
  }

  /** Bytes that anything else may take of the disk. */
  get roomBytes(): number {
    return Math.max(0, this.#space.freeBytes - this.#keptBytes);
  }

  /** News for the core, if any: values of so many bytes are about to come. */
  news(bytes: number): CoreEvent[] {
    const isScarce = this.#space.isFull && this.#space.freeBytes - bytes < this.#keptBytes;
    if (isScarce === this.#isScarce) return [];
    this.#isScarce = isScarce;
    return [{ type: 'scarce', isScarce }];
  }
}
