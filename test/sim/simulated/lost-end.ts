/**
 * Takes the end of the log away, as no crash does: the last segment is cut below the place that a
 * later commit proved, or removed. The next start must refuse; then the bytes are brought back.
 */

import { dirname, join } from 'node:path';
import { provenName } from '../../../core/broker/log/format/proven-end.ts';
import type { Medium, MediumFile } from './medium.ts';

/** A segment, and how much of it is proven. */
export interface ProvenTail {
  readonly path: string;
  readonly bytes: number;
}

export class LostEnd {
  readonly #medium: Medium;
  #taken: {
    readonly path: string;
    readonly file: MediumFile;
    readonly cache: Uint8Array;
    readonly durable: Uint8Array;
  } | null = null;

  constructor(medium: Medium) {
    this.#medium = medium;
  }

  get isTaken(): boolean {
    return this.#taken !== null;
  }

  /** Leaves so many bytes of the segment, or null for no file at all; false when it is not the last one. */
  take({ path }: ProvenTail, left: number | null): boolean {
    const file = this.#medium.names.get(path);
    const last = [...this.#medium.names.keys()].filter((name) => name.endsWith('.log')).sort();
    // Where the proof could not be made nothing is proven.
    const isProven = this.#medium.names.has(join(dirname(path), provenName));
    if (file === undefined || last.at(-1) !== path || !isProven) return false;
    const [cache, durable] = [file.cache.view().slice(), file.durable.view().slice()];
    this.#taken = { path, file, cache, durable };
    if (left === null) this.#medium.names.delete(path);
    else {
      file.cache.resize(left);
      file.durable.resize(Math.min(left, durable.length));
    }
    return true;
  }

  /** Brings it back. */
  restore(): void {
    if (this.#taken === null) return;
    const { path, file, cache, durable } = this.#taken;
    this.#taken = null;
    this.#medium.names.set(path, file);
    // A start that refused may have synced the folder without it.
    this.#medium.keepName(path);
    for (const [content, bytes] of [
      [file.cache, cache],
      [file.durable, durable],
    ] as const) {
      content.resize(0);
      content.write(bytes, 0);
    }
  }
}
