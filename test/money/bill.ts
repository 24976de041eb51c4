/** The bill of the provider, read as it grows. */

import { closeSync, openSync, readSync } from 'node:fs';

export interface Bill {
  readonly calls: number;
  /** Millionths, in all. */
  readonly micros: number;
  /** How many calls met each fate. */
  readonly fates: ReadonlyMap<string, number>;
}

export class BillReader {
  readonly #descriptor: number;
  #at = 0;
  #rest = '';
  #calls = 0;
  #micros = 0;
  readonly #fates = new Map<string, number>();

  /** @param path is made when it is missing */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'a+');
  }

  /** All that is billed by now. */
  read(): Bill {
    const piece = Buffer.alloc(65_536);
    for (;;) {
      const bytes = readSync(this.#descriptor, piece, 0, piece.length, this.#at);
      if (bytes === 0) break;
      this.#at += bytes;
      this.#add(piece.toString('latin1', 0, bytes));
    }
    return { calls: this.#calls, micros: this.#micros, fates: this.#fates };
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #add(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, micros, fate = ''] = line.split(' ');
      this.#calls += 1;
      this.#micros += Number(micros);
      this.#fates.set(fate, (this.#fates.get(fate) ?? 0) + 1);
    }
  }
}
