/**
 * Connections that have read their part and go on when it is their turn: in rounds, and only while the
 * core takes what was read before. So no peer that sends much is read ahead of one that sends little. What
 * a request costs is seen in the core only, which takes turns by time: a round here may be long, and who
 * sends little has its part in each turn of the event loop.
 */

import { type Frame, type FrameSplitter, frameHeaderBytes } from '../../protocol/index.ts';
import { RoundRobin } from '../engine/round-robin.ts';
import type { Connection } from './connection.ts';

/** Of one connection in a visit: frames, and bytes in them. */
const framesMax = 64;
const bytesMax = 64 * 1024;
/** With so little that is received and not read a connection asks little. */
const smallBytes = 4 * 1024;
/** Reading on in one turn of the event loop; what one connection reads comes on top. */
const sliceMs = 4;

/** Who may read on now. */
export interface Turn {
  has(connection: Connection): boolean;
  /** Frames of the connection until it has read its part; then null, and it reads on later. */
  next(connection: Connection, splitter: FrameSplitter): Frame | null;
}

export class ReadScheduler implements Turn {
  readonly #waiting: RoundRobin<Connection> = new RoundRobin();
  readonly #isOpen: () => boolean;
  #isDue = false;
  #isForLarge = false;

  /** @param isOpen the core takes more */
  constructor(isOpen: () => boolean) {
    this.#isOpen = isOpen;
  }

  has(connection: Connection): boolean {
    return this.#waiting.has(connection);
  }

  delete(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  next(connection: Connection, splitter: FrameSplitter): Frame | null {
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

  /** The core may take more by now. */
  readSoon(): void {
    if (this.#isDue || !this.#isOpen() || this.#waiting.size === 0) return;
    this.#isDue = true;
    setImmediate(() => this.#readOn());
  }

  #readOn(): void {
    this.#isDue = false;
    const untilMs = performance.now() + sliceMs;
    this.#waiting.renew();
    // However many send little, those that send much go on: every other turn begins with one of them.
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
