/**
 * The send buffer of one peer. It is written in slices, one at a time, so that progress of the peer is
 * noticed: a stream reports only completed writes, and joins all that waits into one.
 */

import type { Duplex } from 'node:stream';

/** At 8 KB/s a slice is four seconds. */
const sliceBytes = 32 * 1024;
/** Decay of the longest wait for a slice at each next one. */
const slownessKept = 0.75;

/** Totals of messages, reported once their last byte was sent. */
export interface SentCounts {
  /** Bytes charged to the send quota for them. */
  readonly bytes: number;
  /** How many of them are Deliver frames. */
  readonly deliveries: number;
}

export const noCounts: SentCounts = { bytes: 0, deliveries: 0 };

interface Waiting {
  readonly bytes: Uint8Array;
  readonly counts: SentCounts;
}

interface SendBufferOptions {
  readonly now: () => number;
  /** A slice was sent. */
  readonly onDrained: () => void;
}

export class SendBuffer {
  readonly #socket: Duplex;
  readonly #options: SendBufferOptions;
  readonly #waiting: Waiting[] = [];
  /** Bytes sent of the first waiting entry. */
  #at = 0;
  #unsentBytes = 0;
  /** When the slice being sent was written; null when there is none. */
  #slicedAtMs: number | null = null;
  #lastDrainAtMs: number;
  /** The longest of the last waits for a slice. */
  #slowestMs = 0;
  #drained = noCounts;
  #isEnding = false;

  constructor(socket: Duplex, options: SendBufferOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#lastDrainAtMs = options.now();
  }

  /** Bytes not sent yet. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** When something was last sent, or there was nothing to send. */
  get lastDrainAtMs(): number {
    return this.#lastDrainAtMs;
  }

  /**
   * Totals sent since the last call, when they are at least `bytesMin`, and about how long the peer
   * lets a slice wait.
   */
  takeDrained(bytesMin: number): (SentCounts & { slowestMs: number }) | null {
    const drained = this.#drained;
    if (drained.bytes < bytesMin) return null;
    this.#drained = noCounts;
    return { ...drained, slowestMs: this.#slowestMs };
  }

  push(bytes: Uint8Array, counts: SentCounts): void {
    if (this.#isEnding || !this.#socket.writable) return;
    if (this.#unsentBytes === 0) this.#lastDrainAtMs = this.#options.now();
    this.#waiting.push({ bytes, counts });
    this.#unsentBytes += bytes.length;
    this.#writeSlice();
  }

  /** Half-closes the stream after all that waits. */
  end(): void {
    this.#isEnding = true;
    this.#lastDrainAtMs = this.#options.now();
    this.#writeSlice();
  }

  #writeSlice(): void {
    if (this.#slicedAtMs !== null) return;
    if (this.#waiting.length === 0) {
      if (this.#isEnding && !this.#socket.writableEnded) this.#socket.end(this.#onEnded);
      return;
    }
    const { parts, counts } = this.#cutSlice();
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#slicedAtMs = this.#options.now();
    this.#socket.cork();
    for (const part of parts.slice(0, -1)) this.#socket.write(part);
    this.#socket.write(parts.at(-1), (error) => {
      if (!error) this.#onSliceDrained(bytes, counts);
    });
    this.#socket.uncork();
  }

  #cutSlice(): { parts: Uint8Array[]; counts: SentCounts } {
    const parts: Uint8Array[] = [];
    let counts = noCounts;
    let room = sliceBytes;
    for (let first = this.#waiting[0]; first !== undefined && room > 0; first = this.#waiting[0]) {
      const part = first.bytes.subarray(this.#at, this.#at + room);
      parts.push(part);
      room -= part.length;
      this.#at += part.length;
      if (this.#at < first.bytes.length) break;
      counts = sumOf(counts, first.counts);
      this.#waiting.shift();
      this.#at = 0;
    }
    return { parts, counts };
  }

  #onSliceDrained(bytes: number, counts: SentCounts): void {
    const now = this.#options.now();
    const waitedMs = now - (this.#slicedAtMs ?? now);
    this.#slowestMs = Math.max(waitedMs, this.#slowestMs * slownessKept);
    this.#slicedAtMs = null;
    this.#lastDrainAtMs = now;
    this.#unsentBytes -= bytes;
    this.#drained = sumOf(this.#drained, counts);
    this.#options.onDrained();
    this.#writeSlice();
  }

  readonly #onEnded = (): void => {
    this.#lastDrainAtMs = this.#options.now();
  };
}

export function sumOf(one: SentCounts, other: SentCounts): SentCounts {
  return { bytes: one.bytes + other.bytes, deliveries: one.deliveries + other.deliveries };
}
