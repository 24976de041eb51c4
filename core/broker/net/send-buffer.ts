/**
 * What waits for one peer. It leaves in slices, one at a time, so that every part that the peer
 * takes is seen: a stream tells only when a whole write is over, and joins all that waits into one.
 */

import type { Duplex } from 'node:stream';

/** At 8 KB/s a slice is four seconds. */
const sliceBytes = 32 * 1024;
/** How much of the longest wait for a slice is still remembered at the next one. */
const slownessKept = 0.75;

/** What is told of messages once their last byte is taken. */
export interface Cargo {
  /** What the core counts for them. */
  readonly bytes: number;
  /** How many of them are Deliver frames. */
  readonly deliveries: number;
}

export const noCargo: Cargo = { bytes: 0, deliveries: 0 };

interface Waiting {
  readonly bytes: Uint8Array;
  readonly cargo: Cargo;
}

interface OutflowOptions {
  readonly now: () => number;
  /** The peer took a slice. */
  readonly onTaken: () => void;
}

export class SendBuffer {
  readonly #socket: Duplex;
  readonly #options: OutflowOptions;
  readonly #waiting: Waiting[] = [];
  /** How much of the first that waits has left. */
  #at = 0;
  #unsentBytes = 0;
  /** When the slice that is on its way was written; null when there is none. */
  #slicedAtMs: number | null = null;
  #tookAtMs: number;
  /** The longest of the last waits for a slice. */
  #slowestMs = 0;
  #taken = noCargo;
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

  /**
   * What the peer took since this was asked last, when it is that much, and about how long it lets a
   * slice wait.
   */
  takeTaken(bytesMin: number): (Cargo & { slowestMs: number }) | null {
    const taken = this.#taken;
    if (taken.bytes < bytesMin) return null;
    this.#taken = noCargo;
    return { ...taken, slowestMs: this.#slowestMs };
  }

  push(bytes: Uint8Array, cargo: Cargo): void {
    if (this.#isEnding || !this.#socket.writable) return;
    if (this.#unsentBytes === 0) this.#tookAtMs = this.#options.now();
    this.#waiting.push({ bytes, cargo });
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
    const { parts, cargo } = this.#cutSlice();
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#slicedAtMs = this.#options.now();
    this.#socket.cork();
    for (const part of parts.slice(0, -1)) this.#socket.write(part);
    this.#socket.write(parts.at(-1), (error) => {
      if (!error) this.#onSliceTaken(bytes, cargo);
    });
    this.#socket.uncork();
  }

  #cutSlice(): { parts: Uint8Array[]; cargo: Cargo } {
    const parts: Uint8Array[] = [];
    let cargo = noCargo;
    let room = sliceBytes;
    for (let first = this.#waiting[0]; first !== undefined && room > 0; first = this.#waiting[0]) {
      const part = first.bytes.subarray(this.#at, this.#at + room);
      parts.push(part);
      room -= part.length;
      this.#at += part.length;
      if (this.#at < first.bytes.length) break;
      cargo = sumOf(cargo, first.cargo);
      this.#waiting.shift();
      this.#at = 0;
    }
    return { parts, cargo };
  }

  #onSliceTaken(bytes: number, cargo: Cargo): void {
    const now = this.#options.now();
    const waitedMs = now - (this.#slicedAtMs ?? now);
    this.#slowestMs = Math.max(waitedMs, this.#slowestMs * slownessKept);
    this.#slicedAtMs = null;
    this.#tookAtMs = now;
    this.#unsentBytes -= bytes;
    this.#taken = sumOf(this.#taken, cargo);
    this.#options.onTaken();
    this.#writeSlice();
  }

  readonly #onEnded = (): void => {
    this.#tookAtMs = this.#options.now();
  };
}

export function sumOf(one: Cargo, other: Cargo): Cargo {
  return { bytes: one.bytes + other.bytes, deliveries: one.deliveries + other.deliveries };
}
