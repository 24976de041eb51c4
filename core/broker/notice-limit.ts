/**
 * Rate limit for notices: prints a number of each kind per minute and counts the rest, so that no client
 * can fill the log file.
 */

const linesMax = 10;
const windowMs = 60_000;

interface Window {
  passed: number;
  suppressed: number;
}

export class NoticeLimit {
  readonly #print: (text: string) => void;
  readonly #windows = new Map<string, Window>();

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** @param kind in the plural, for the count of suppressed ones */
  add(kind: string, text: string): void {
    const window = this.#windows.get(kind) ?? this.#open(kind);
    if (window.passed >= linesMax) {
      window.suppressed += 1;
      return;
    }
    window.passed += 1;
    this.#print(text);
  }

  #open(kind: string): Window {
    const window = { passed: 0, suppressed: 0 };
    this.#windows.set(kind, window);
    const end = (): void => {
      this.#windows.delete(kind);
      if (window.suppressed > 0) {
        this.#print(`${window.suppressed} more ${kind} in the last ${windowMs / 1000} s`);
      }
    };
    // A pending notice must not keep a thread alive.
    setTimeout(end, windowMs).unref();
    return window;
  }
}
