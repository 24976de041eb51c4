/**
 * How long tests wait for what must come. These times are met by what hangs, never by what is slow:
 * on a machine that is busy or stands still for a while everything takes many times as long.
 */

/** For one condition. */
export const patienceMs = 300_000;

/** For a whole test or hook. */
export const testMs = 1_200_000;
