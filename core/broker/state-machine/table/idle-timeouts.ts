/**
 * Keys that go when nothing touched them for a time. The time of a touch is that of the first look
 * after it, so that whoever touches needs no clock.
 */

export class IdleTimeouts {
  readonly #graceMs: number;
  readonly #fresh: Set<string> = new Set();
  /** When each was first looked at; the longest untouched first. */
  readonly #sinceMs: Map<string, number> = new Map();

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** The key's time begins, or begins again. */
  touch(key: string): void {
    this.#sinceMs.delete(key);
    this.#fresh.add(key);
  }

  /** The key's time no longer runs. */
  stop(key: string): void {
    this.#sinceMs.delete(key);
    this.#fresh.delete(key);
  }

  has(key: string): boolean {
    return this.#fresh.has(key) || this.#sinceMs.has(key);
  }

  /** Keys whose time is over at `nowMs`, at most `max`; they stay until they are stopped. */
  due(nowMs: number, max: number): string[] {
    for (const key of this.#fresh) this.#sinceMs.set(key, nowMs);
    this.#fresh.clear();
    const due: string[] = [];
    for (const [key, sinceMs] of this.#sinceMs) {
      if (due.length >= max || sinceMs + this.#graceMs > nowMs) break;
      due.push(key);
    }
    return due;
  }

  /** When to look again: 0 (at once) when something was touched since; null when there is nothing. */
  get dueAtMs(): number | null {
    if (this.#fresh.size > 0) return 0;
    for (const sinceMs of this.#sinceMs.values()) return sinceMs + this.#graceMs;
    return null;
  }
}
