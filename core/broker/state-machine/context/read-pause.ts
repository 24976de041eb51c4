/**
 * The backoff of deliveries when the log cannot be read: a pause that grows with each failure, then few
 * jobs at a time until reads work again. Damage causes a short pause too: a wrong reading of many jobs
 * must not end them all before an operator can intervene.
 */

const firstPauseMs = 100;
const pauseMsMax = 5_000;
const damagePauseMs = 250;
/** Most jobs that end as damaged before a pause. */
export const damagedInARowMax = 4;

export class ReadPause {
  /** Monotonic clock; null when there is no pause. */
  #untilMs: number | null = null;
  #failures = 0;
  readonly #usualMax: number;
  /** Most jobs of one pass: from one on, doubled with each read that worked. */
  #jobsMax: number;

  /** @param jobsMax most jobs of one pass, when nothing is wrong */
  constructor(jobsMax: number) {
    this.#usualMax = jobsMax;
    this.#jobsMax = jobsMax;
  }

  /** True when reads failed lately: the next reads are to report their outcome. */
  get isOn(): boolean {
    return this.#failures > 0;
  }

  /** When the pause ends, which happens at the next call of `jobsMax` then. Null when there is none. */
  get dueAtMs(): number | null {
    return this.#untilMs;
  }

  /** Most jobs that may be handed out now; 0 during the pause. */
  jobsMax(nowMs: number): number {
    if (this.#untilMs !== null && nowMs < this.#untilMs) return 0;
    this.#untilMs = null;
    return this.#jobsMax;
  }

  /** A read failed, for a reason that may pass. */
  failed(nowMs: number): void {
    // Other reads of the same pass failed for the same reason.
    if (this.#untilMs !== null && nowMs < this.#untilMs) return;
    this.#untilMs = nowMs + Math.min(pauseMsMax, firstPauseMs * 2 ** this.#failures);
    this.#failures += 1;
    this.#jobsMax = 1;
  }

  /** Jobs were read well. */
  succeeded(): void {
    this.#jobsMax = Math.min(this.#usualMax, 2 * this.#jobsMax);
    if (this.#jobsMax === this.#usualMax) this.#failures = 0;
  }

  /** Jobs were found damaged. */
  foundDamage(nowMs: number): void {
    this.#untilMs = Math.max(this.#untilMs ?? 0, nowMs + damagePauseMs);
  }
}
