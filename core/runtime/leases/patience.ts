/** Asking a queue that is away for the moment. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffRange, backoffMs, withJitter } from '../../base/index.ts';
import { AiqError } from '../../job-queue/index.ts';

export interface Patience {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** False once the answer is of no use any more; default true. */
  readonly isWanted?: () => boolean;
  /** An error after which it is not asked again. */
  readonly isFinal: (error: unknown) => boolean;
  /** Called before it is asked for the second time. */
  readonly onDelay: (error: unknown) => void;
  /** From 0 to 1. */
  readonly random: () => number;
}

const pauses: BackoffRange = { minMs: 100, maxMs: 5_000 };

/**
 * Asks until there is an answer; null when there will be none.
 * @throws the error that is final
 */
export async function askPatiently<T>(
  ask: () => Promise<T>,
  { signal, isWanted = () => true, isFinal, onDelay, random }: Patience,
): Promise<T | null> {
  for (let failures = 0; isWanted() && !signal.aborted; failures++) {
    try {
      return await ask();
    } catch (error) {
      if (isFinal(error)) throw error;
      if (failures === 0) onDelay(error);
    }
    const pauseMs = withJitter(backoffMs(failures + 1, pauses), random);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
  return null;
}

export function isUnsupported(error: unknown): boolean {
  return error instanceof AiqError && error.code === 'UNSUPPORTED';
}

/** Goes away by itself. */
export function isPassing(error: unknown): boolean {
  return error instanceof AiqError && error.retryable;
}
