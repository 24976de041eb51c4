/** How long to wait between attempts to connect: doubling, capped, with jitter. */

const backoffMsMin = 20;
const backoffMsMax = 3_000;

/**
 * Milliseconds to wait before an attempt; `failures` counts those just before it. Between half and
 * all of the doubled step, so that many clients of one broker do not come back at one moment.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  if (failures === 0) return 0;
  const step = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures - 1, 16));
  return Math.round(step * (0.5 + random() / 2));
}
