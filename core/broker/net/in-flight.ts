/**
 * Requests of one peer without a response yet, and the bytes that they hold. A `Wait` counts until the
 * state machine has registered it: its response may take hours, and must not keep the peer from other
 * requests.
 */

import { type MessageName, messages } from '../../protocol/index.ts';

/** Responses; other messages complete no request, whatever correlation id they have. */
const answers: ReadonlySet<string | null> = new Set([
  'Error',
  ...Object.values(messages).map(({ answer }) => answer),
]);

/** Memory of a request besides its frame, about. */
const requestBytes = 512;

export class InFlightRequests {
  readonly #countMax: number;
  /** Registered waits; their responses complete nothing. */
  readonly #waits = new Set<number>();
  /** By correlation id; the bytes of several requests with one id are released with the last of them. */
  readonly #started = new Map<number, { count: number; bytes: number }>();
  #count = 0;
  #bytes = 0;
  #isFull = false;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** True from the limit on, until half of it is completed, so that reading does not flap. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get bytes(): number {
    return this.#bytes;
  }

  started(correlationId: number, frameBytes: number): void {
    const bytes = frameBytes + requestBytes;
    const same = this.#started.get(correlationId);
    if (same === undefined) this.#started.set(correlationId, { count: 1, bytes });
    else {
      same.count += 1;
      same.bytes += bytes;
    }
    this.#bytes += bytes;
    this.#count += 1;
    if (this.#count >= this.#countMax) this.#isFull = true;
  }

  /** A message is sent to the peer: it may be a response; `Wait` means that one was registered. */
  completed(name: MessageName, correlationId: number): void {
    if (name === 'Wait') {
      this.#complete(correlationId);
      this.#waits.add(correlationId);
    } else if (answers.has(name) && !this.#waits.delete(correlationId)) {
      this.#complete(correlationId);
    }
  }

  #complete(correlationId: number): void {
    const started = this.#started.get(correlationId);
    if (started === undefined) return;
    started.count -= 1;
    if (started.count === 0) {
      this.#started.delete(correlationId);
      this.#bytes -= started.bytes;
    }
    this.#count -= 1;
    if (this.#count <= this.#countMax / 2) this.#isFull = false;
  }
}
