/**
 * Time in which this process ran. What has a deadline may rely on being heard before it: so time that
 * the process missed (stopped, asleep with its machine, without a core, busy with one long piece of
 * work) does not count, and none counts until what waited in the sockets meanwhile could be read.
 */
export class SteadyTime {
  /** A longer time between two looks was missed. Look at least twice in it while deadlines run. */
  readonly stepMsMax: number;
  readonly #realMs: () => number;
  #lookedAtMs: number;
  #standsUntilMs = Number.NEGATIVE_INFINITY;
  #nowMs: number;

  /** @param realMs a monotonic clock */
  constructor(realMs: () => number, stepMsMax: number) {
    this.#realMs = realMs;
    this.stepMsMax = stepMsMax;
    this.#lookedAtMs = realMs();
    this.#nowMs = this.#lookedAtMs;
  }

  /** Counts nothing for so long from now, instead of what was said before; 0 ends that. */
  standFor(ms: number): void {
    this.now();
    this.#standsUntilMs = this.#lookedAtMs + ms;
  }

  /** Milliseconds, never less than before. */
  now(): number {
    const realMs = this.#realMs();
    const stood = this.#lookedAtMs < this.#standsUntilMs;
    const stepMs = realMs - Math.max(this.#lookedAtMs, this.#standsUntilMs);
    if (realMs - this.#lookedAtMs > this.stepMsMax) {
      // A process that misses time again and again must still come to an end with its deadlines.
      if (stood) this.#nowMs += this.stepMsMax;
      this.#standsUntilMs = Math.max(this.#standsUntilMs, realMs + this.stepMsMax);
    } else if (stepMs > 0) this.#nowMs += stepMs;
    this.#lookedAtMs = realMs;
    return this.#nowMs;
  }
}
