/**
 * Schedules reading: connections that have read their part read on round robin, and only while the
 * state machine keeps up. So no peer that sends much is read ahead of one that sends little. The cost
 * of a request is known to the `RequestScheduler` only, which schedules by time: a round here may be
 * long, and small senders have their part in each turn of the event loop.
 */

import { type Frame, type FrameSplitter, frameHeaderBytes } from '../../protocol/index.ts';
import { RoundRobin } from '../engine/round-robin.ts';

/** Frames, and bytes in them, of one connection in a visit. */
const framesMax = 64;
const bytesMax = 64 * 1024;
/** A connection with at most so many buffered bytes counts as small. */
const smallBytes = 4 * 1024;
/** Time for reading in one turn of the event loop; the last connection's part comes on top. */
const sliceMs = 4;

/** A connection as the scheduler sees it. */
export interface Reader {
  /** Reads, or stops reading, as its limits and its turn allow. */
  updateReading(): void;
}

/** The scheduler as a connection sees it. */
export interface Turn {
  has(connection: Reader): boolean;
  /** The next frame; null when there is none, or the connection has read its part and reads on later. */
  next(connection: Reader, splitter: FrameSplitter): Frame | null;
}

export class ReadScheduler implements Turn {
  readonly #waiting: RoundRobin<Reader> = new RoundRobin();
  readonly #isOpen: () => boolean;
  #isDue = false;
  #isForLarge = false;

  /** @param isOpen true while the state machine accepts more */
  constructor(isOpen: () => boolean) {
    this.#isOpen = isOpen;
  }

  has(connection: Reader): boolean {
    return this.#waiting.has(connection);
  }

  delete(connection: Reader): void {
    this.#waiting.delete(connection);
  }

  next(connection: Reader, splitter: FrameSplitter): Frame | null {
    if (splitter.bufferedBytes < frameHeaderBytes) return null;
    const isSmall = splitter.bufferedBytes <= smallBytes;
    if (!this.#isOpen() || !this.#waiting.mayGoFirst(connection, isSmall)) {
      this.#waiting.add(connection, isSmall);
      this.readSoon();
      return null;
    }
    const frame = splitter.next();
    if (frame !== null) {
      this.#waiting.use(connection, Math.max(1 / framesMax, frame.body.length / bytesMax));
    }
    return frame;
  }

  /** To be called when the state machine may accept more. */
  readSoon(): void {
    if (this.#isDue || !this.#isOpen() || this.#waiting.size === 0) return;
    this.#isDue = true;
    setImmediate(() => this.#readOn());
  }

  #readOn(): void {
    this.#isDue = false;
    const untilMs = performance.now() + sliceMs;
    this.#waiting.renew();
    // Every other turn begins with a large sender, so that many small ones cannot starve them.
    let connection = this.#isForLarge ? this.#waiting.takeLarge() : undefined;
    this.#isForLarge = !this.#isForLarge;
    connection ??= this.#waiting.take();
    while (connection !== undefined) {
      connection.updateReading();
      if (!this.#isOpen() || performance.now() > untilMs) break;
      connection = this.#waiting.take();
    }
    this.readSoon();
  }
}
