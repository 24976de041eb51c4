/**
 * How far one thread may be ahead of another that takes what it hands over. Only now and then the other
 * is asked to say that it took something, so that a little of it costs no message more.
 */

/** What handing over a message costs besides its bytes, in bytes. */
export const messageBytes = 512;

export class SendWindow {
  readonly #bytesMax: number;
  #bytes = 0;
  #sinceMark = 0;
  /** What was handed over up to each mark that the other has not confirmed. */
  readonly #marks: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** True while more may be handed over. */
  get isOpen(): boolean {
    return this.#bytes < this.#bytesMax;
  }

  /** Counts what is handed over; true when the other is to confirm that it took it. */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    this.#sinceMark += bytes;
    if (this.#sinceMark < this.#bytesMax / 4) return false;
    this.#marks.push(this.#sinceMark);
    this.#sinceMark = 0;
    return true;
  }

  /** The other confirmed the oldest mark. */
  taken(): void {
    this.#bytes -= this.#marks.shift() ?? 0;
  }
}
