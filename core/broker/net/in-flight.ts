/**
 * The requests of one peer that were not answered yet, and the bytes that they are held in. A `Wait`
 * counts until the core has put it where it stands: its answer may rightly take hours, and whoever
 * waits should not be kept from asking other things.
 */

import { type MessageName, messages } from '../../protocol/index.ts';

/** What the broker sends of its own accord answers nobody, whatever correlation id it bears. */
const answers: ReadonlySet<string | null> = new Set([
  'Error',
  ...Object.values(messages).map(({ answer }) => answer),
]);

/** What the core keeps of a request besides its frame, about. */
const requestBytes = 512;

export class InFlightRequests {
  readonly #countMax: number;
  /** Those that stand; their answers settle nothing any more. */
  readonly #waits = new Set<number>();
  /** By correlation id; what several requests of one id are held in goes with the last of them. */
  readonly #asked = new Map<number, { count: number; bytes: number }>();
  #count = 0;
  #bytes = 0;
  #isFull = false;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** True from the limit on, until half of it is answered, so that reading does not flap. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get bytes(): number {
    return this.#bytes;
  }

  asked(correlationId: number, frameBytes: number): void {
    const bytes = frameBytes + requestBytes;
    const same = this.#asked.get(correlationId);
    if (same === undefined) this.#asked.set(correlationId, { count: 1, bytes });
    else {
      same.count += 1;
      same.bytes += bytes;
    }
    this.#bytes += bytes;
    this.#count += 1;
    if (this.#count >= this.#countMax) this.#isFull = true;
  }

  /** A message for the peer, which may be an answer; or `Wait`: the core has put one where it stands. */
  sent(name: MessageName, correlationId: number): void {
    if (name === 'Wait') {
      this.#settle(correlationId);
      this.#waits.add(correlationId);
    } else if (answers.has(name) && !this.#waits.delete(correlationId)) {
      this.#settle(correlationId);
    }
  }

  #settle(correlationId: number): void {
    const asked = this.#asked.get(correlationId);
    if (asked === undefined) return;
    asked.count -= 1;
    if (asked.count === 0) {
      this.#asked.delete(correlationId);
      this.#bytes -= asked.bytes;
    }
    this.#count -= 1;
    if (this.#count <= this.#countMax / 2) this.#isFull = false;
  }
}
