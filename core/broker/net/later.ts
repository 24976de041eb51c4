/** Connections that have read their part of a turn of the event loop and go on in the next one. */

import type { Frame, FrameSplitter } from '../../protocol/index.ts';
import type { Connection } from './connection.ts';

/** Of one connection before the others have their turn: frames, and bytes in them. */
const framesMax = 64;
const bytesMax = 64 * 1024;
/** Reading on in one turn of the event loop; what one connection reads comes on top. */
const sliceMs = 4;

/** Gives the next whole frame of a connection, as long as it has not read its part; then it reads on `later`. */
export function framesOfTurn(
  connection: Connection,
  splitter: FrameSplitter,
  later: Pick<Set<Connection>, 'add'>,
): () => Frame | null {
  let used = 0;
  return () => {
    if (used >= 1) {
      later.add(connection);
      return null;
    }
    const frame = splitter.next();
    if (frame !== null) used += Math.max(1 / framesMax, frame.body.length / bytesMax);
    return frame;
  };
}

export class Later extends Set<Connection> {
  #isDue = false;

  override add(connection: Connection): this {
    this.#readSoon();
    return super.add(connection);
  }

  #readSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#readOn());
  }

  /** In turn: one that has still more comes again behind the others. */
  #readOn(): void {
    this.#isDue = false;
    const untilMs = performance.now() + sliceMs;
    for (const connection of this) {
      this.delete(connection);
      connection.updateReading();
      if (performance.now() > untilMs) break;
    }
    if (this.size > 0) this.#readSoon();
  }
}
