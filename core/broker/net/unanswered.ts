/**
 * Counts the requests of one peer that were not answered yet. `Wait` does not count: its answer
 * may rightly take hours, and whoever waits should not be kept from asking other things.
 */

import { type MessageName, messages } from '../../protocol/index.ts';

/** What the broker sends of its own accord answers nobody, whatever correlation id it bears. */
const answers: ReadonlySet<string | null> = new Set([
  'Error',
  ...Object.values(messages).map(({ answer }) => answer),
]);

export class Unanswered {
  readonly #countMax: number;
  readonly #waits = new Set<number>();
  #count = 0;
  #isFull = false;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** True from the limit on, until half of it is answered, so that reading does not flap. */
  get isFull(): boolean {
    return this.#isFull;
  }

  asked(opcode: number, correlationId: number): void {
    if (opcode === messages.Wait.opcode) {
      this.#waits.add(correlationId);
      return;
    }
    this.#count += 1;
    if (this.#count >= this.#countMax) this.#isFull = true;
  }

  /** A message for the peer, which may be an answer. */
  sent(name: MessageName, correlationId: number): void {
    if (!answers.has(name) || this.#waits.delete(correlationId)) return;
    this.#count = Math.max(0, this.#count - 1);
    if (this.#count <= this.#countMax / 2) this.#isFull = false;
  }
}
