/**
 * Decides which fault a request meets: a function of the seed, the request's bytes and how often the
 * same bytes came before. Time and order play no part, so a drill repeats exactly and a retry can succeed.
 */

import { createHash } from 'node:crypto';
import { type FaultName, faultNames, type Knobs } from './knobs.ts';

export type DrillFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'error'; readonly status: number }
  | { readonly kind: FaultName };

/** How often each request body came, by its hash. */
export class RepeatCounter {
  readonly #counts = new Map<string, number>();

  /** 0 for the first time. */
  next(bodyHash: string): number {
    const count = this.#counts.get(bodyHash) ?? 0;
    this.#counts.set(bodyHash, count + 1);
    return count;
  }
}

export function faultFor(knobs: Knobs, bodyHash: string, repeat: number): DrillFault {
  let dice = diceOf(`${knobs.seed}:${bodyHash}:${repeat}`);
  for (const { status, probability } of knobs.errors) {
    if (dice < probability) return { kind: 'error', status };
    dice -= probability;
  }
  for (const kind of faultNames) {
    if (dice < knobs.faults[kind]) return { kind };
    dice -= knobs.faults[kind];
  }
  return { kind: 'none' };
}

/** Evenly spread over [0, 1). */
export function diceOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}
