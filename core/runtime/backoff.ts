/** When a failed job may run again. */

import type { Agent } from '../agent/index.ts';

/**
 * Milliseconds until the next attempt. Exponential means full jitter: anywhere from 0 to the
 * doubled delay, so that jobs that failed together do not come back together.
 */
export function retryDelayMs(retry: Agent['retry'], attempt: number, random: () => number): number {
  if (retry.backoff === 'fixed') return Math.min(retry.delayMs, retry.maxDelayMs);
  // Beyond 2^30 the cap has long been reached, and the power would leave the safe integers.
  const doubled = retry.delayMs * 2 ** Math.min(30, Math.max(0, attempt - 1));
  return Math.round(random() * Math.min(doubled, retry.maxDelayMs));
}
