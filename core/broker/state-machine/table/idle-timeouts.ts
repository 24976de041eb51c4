/**
 * Timeouts of keys that were not renewed for some time. A renewal counts from the next check of what is
 * due, so that `renew` needs no clock.
 */

export class IdleTimeouts {
  readonly #timeoutMs: number;
  readonly #fresh: Set<string> = new Set();
  /** When each was first checked after its renewal; the longest idle first. */
  readonly #sinceMs: Map<string, number> = new Map();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Starts or restarts the key's timeout. */
  renew(key: string): void {
    this.#sinceMs.delete(key);
    this.#fresh.add(key);
  }

  /** Stops the key's timeout. */
  stop(key: string): void {
    this.#sinceMs.delete(key);
    this.#fresh.delete(key);
  }

  has(key: string): boolean {
    return this.#fresh.has(key) || this.#sinceMs.has(key);
  }

  /** Keys whose timeout ended by `nowMs`, at most `max`; they stay until they are stopped. */
  due(nowMs: number, max: number): string[] {
    for (const key of this.#fresh) this.#sinceMs.set(key, nowMs);
    this.#fresh.clear();
    const due: string[] = [];
    for (const [key, sinceMs] of this.#sinceMs) {
      if (due.length >= max || sinceMs + this.#timeoutMs > nowMs) break;
      due.push(key);
    }
    return due;
  }

  /** When `due` is to be called next: 0 (at once) when a key was renewed since; null when there is none. */
  get dueAtMs(): number | null {
    if (this.#fresh.size > 0) return 0;
    for (const sinceMs of this.#sinceMs.values()) return sinceMs + this.#timeoutMs;
    return null;
  }
}
