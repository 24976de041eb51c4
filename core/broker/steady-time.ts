/**
 * A monotonic clock for deadlines that counts only time in which this process ran. Time that the process
 * missed (suspended, asleep with its machine, starved of CPU, blocked by one long piece of work) does
 * not count, nor does the time needed afterwards to read what arrived meanwhile: a client that is in
 * time must be heard before its deadline.
 */
export class SteadyTime {
  /** A longer time between two readings was missed. Read at least twice in it while deadlines run. */
  readonly stepMsMax: number;
  readonly #realMs: () => number;
  #readAtMs: number;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #nowMs: number;

  /** @param realMs a monotonic clock */
  constructor(realMs: () => number, stepMsMax: number) {
    this.#realMs = realMs;
    this.stepMsMax = stepMsMax;
    this.#readAtMs = realMs();
    this.#nowMs = this.#readAtMs;
  }

  /** Pauses for `ms` from now, replacing an earlier pause; 0 ends it. */
  pauseFor(ms: number): void {
    this.now();
    this.#pausedUntilMs = this.#readAtMs + ms;
  }

  /** Milliseconds, never less than before. */
  now(): number {
    const realMs = this.#realMs();
    const wasPaused = this.#readAtMs < this.#pausedUntilMs;
    const stepMs = realMs - Math.max(this.#readAtMs, this.#pausedUntilMs);
    if (realMs - this.#readAtMs > this.stepMsMax) {
      // Deadlines must pass eventually in a process that misses time repeatedly.
      if (wasPaused) this.#nowMs += this.stepMsMax;
      this.#pausedUntilMs = Math.max(this.#pausedUntilMs, realMs + this.stepMsMax);
    } else if (stepMs > 0) this.#nowMs += stepMs;
    this.#readAtMs = realMs;
    return this.#nowMs;
  }
}
