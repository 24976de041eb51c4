/** What a job's work may ask of its journal: values that were paid for, each written once. */

import type { CallCharge } from './money.ts';

/** Neither method rejects: without a journal the work goes on, and what is bought is only not kept. */
export interface Journal {
  /** What an earlier delivery of the job kept under the hash; null when there is nothing. */
  get(callHash: Uint8Array): Promise<Uint8Array | null>;
  /**
   * Keeps the value, durably, and returns what is stored: the first one that was put. The charge of the
   * call that brought it counts in any case.
   */
  put(callHash: Uint8Array, value: Uint8Array, charge?: CallCharge): Promise<Uint8Array>;
}
