/**
 * A send window between threads: how many bytes may be on their way unconfirmed. Confirmations are
 * requested a few times per window only, so that small messages cost no extra message.
 */

/** Cost of passing a message besides its bytes, in bytes. */
export const messageBytes = 512;

export class SendWindow {
  readonly #bytesMax: number;
  #bytes = 0;
  #sinceMark = 0;
  /** Bytes up to each mark that is not confirmed yet. */
  readonly #marks: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** True while more may be sent. */
  get isOpen(): boolean {
    return this.#bytes < this.#bytesMax;
  }

  /** Counts sent bytes; true when the receiver is to confirm them. */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    this.#sinceMark += bytes;
    if (this.#sinceMark < this.#bytesMax / 4) return false;
    this.#marks.push(this.#sinceMark);
    this.#sinceMark = 0;
    return true;
  }

  /** The receiver confirmed the oldest mark. */
  taken(): void {
    this.#bytes -= this.#marks.shift() ?? 0;
  }
}
