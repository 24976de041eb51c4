/**
 * Lets through so many messages of a kind in a minute and counts the rest, so that whoever knocks ten
 * thousand times fills neither the log nor the disk.
 */

const linesMax = 10;
const windowMs = 60_000;

interface Window {
  told: number;
  untold: number;
}

export class NoticeLimit {
  readonly #tell: (text: string) => void;
  readonly #windows = new Map<string, Window>();

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** @param kind in the plural, for the count of those that are not told */
  add(kind: string, text: string): void {
    const window = this.#windows.get(kind) ?? this.#open(kind);
    if (window.told >= linesMax) {
      window.untold += 1;
      return;
    }
    window.told += 1;
    this.#tell(text);
  }

  #open(kind: string): Window {
    const window = { told: 0, untold: 0 };
    this.#windows.set(kind, window);
    const end = (): void => {
      this.#windows.delete(kind);
      if (window.untold > 0) {
        this.#tell(`${window.untold} more ${kind} in the last ${windowMs / 1000} s`);
      }
    };
    // What is only to be told must not keep a thread alive.
    setTimeout(end, windowMs).unref();
    return window;
  }
}
