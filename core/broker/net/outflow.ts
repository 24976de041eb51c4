/**
 * What waits for one peer. It leaves in slices, one at a time, so that every part that the peer
 * takes is seen: a stream tells only when a whole write is over, and joins all that waits into one.
 */

import type { Duplex } from 'node:stream';

/** At 8 KB/s a slice is four seconds. */
const sliceBytes = 32 * 1024;
/** How much of the longest wait for a slice is still remembered at the next one. */
const slownessKept = 0.75;

interface Waiting {
  readonly bytes: Uint8Array;
  /** What the core counts for it. */
  readonly charge: number;
}

interface OutflowOptions {
  readonly now: () => number;
  /** The peer took a slice; with it went the last bytes of all that this was counted for. */
  readonly onTaken: (charge: number) => void;
}

export class Outflow {
  readonly #socket: Duplex;
  readonly #options: OutflowOptions;
  readonly #waiting: Waiting[] = [];
  /** How much of the first that waits has left. */
  #at = 0;
  #unsentBytes = 0;
  /** When the slice that is on its way was written; null when there is none. */
  #slicedAtMs: number | null = null;
  #tookAtMs: number;
  #slowestMs = 0;
  #isEnding = false;

  constructor(socket: Duplex, options: OutflowOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#tookAtMs = options.now();
  }

  /** Bytes that the peer has not taken. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** When the peer last took something, or there was nothing to take. */
  get tookAtMs(): number {
    return this.#tookAtMs;
  }

  /** About how long a slice waits to be taken, by the slowest of the last ones. */
  get slowestMs(): number {
    return this.#slowestMs;
  }

  push(bytes: Uint8Array, charge = 0): void {
    if (this.#isEnding || !this.#socket.writable) return;
    if (this.#unsentBytes === 0) this.#tookAtMs = this.#options.now();
    this.#waiting.push({ bytes, charge });
    this.#unsentBytes += bytes.length;
    this.#writeSlice();
  }

  /** The half-close, behind all that waits. */
  end(): void {
    this.#isEnding = true;
    this.#tookAtMs = this.#options.now();
    this.#writeSlice();
  }

  #writeSlice(): void {
    if (this.#slicedAtMs !== null) return;
    if (this.#waiting.length === 0) {
      if (this.#isEnding && !this.#socket.writableEnded) this.#socket.end(this.#onEnded);
      return;
    }
    const { parts, charge } = this.#cutSlice();
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#slicedAtMs = this.#options.now();
    this.#socket.cork();
    for (const part of parts.slice(0, -1)) this.#socket.write(part);
    this.#socket.write(parts.at(-1), (error) => {
      if (!error) this.#onSliceTaken(bytes, charge);
    });
    this.#socket.uncork();
  }

  #cutSlice(): { parts: Uint8Array[]; charge: number } {
    const parts: Uint8Array[] = [];
    let charge = 0;
    let room = sliceBytes;
    for (let first = this.#waiting[0]; first !== undefined && room > 0; first = this.#waiting[0]) {
      const part = first.bytes.subarray(this.#at, this.#at + room);
      parts.push(part);
      room -= part.length;
      this.#at += part.length;
      if (this.#at < first.bytes.length) break;
      charge += first.charge;
      this.#waiting.shift();
      this.#at = 0;
    }
    return { parts, charge };
  }

  #onSliceTaken(bytes: number, charge: number): void {
    const now = this.#options.now();
    const waitedMs = now - (this.#slicedAtMs ?? now);
    this.#slowestMs = Math.max(waitedMs, this.#slowestMs * slownessKept);
    this.#slicedAtMs = null;
    this.#tookAtMs = now;
    this.#unsentBytes -= bytes;
    this.#options.onTaken(charge);
    this.#writeSlice();
  }

  readonly #onEnded = (): void => {
    this.#tookAtMs = this.#options.now();
  };
}
