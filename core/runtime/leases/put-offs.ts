/** Jobs that others go before: how often each was put off already. */

import type { Settle } from '../../job-queue/index.ts';
import { putOff } from './settlement.ts';

/** Of more jobs it is forgotten how often they were put off; they only come back sooner. */
const jobsMax = 10_000;

export class PutOffs {
  readonly #times = new Map<string, number>();

  /** The settle that puts the job off once more. */
  settle(id: string, why: string): Settle {
    const times = this.#times.get(id) ?? 0;
    if (this.#times.size >= jobsMax) this.#times.clear();
    this.#times.set(id, times + 1);
    return putOff(times, why);
  }

  forget(id: string): void {
    this.#times.delete(id);
  }
}
